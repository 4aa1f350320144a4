"""A reader's own ways: the layout of the gallery, and its keys. They are no facts of any case."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from cases import keys
from cases.arrangement import Layout
from cases.models import ReaderPreferences
from cases.views.found import reader

LAYOUT = ("sort", "cell_class", "flag", "size")


@require_POST
@login_required
def gallery_layout(request: HttpRequest) -> HttpResponse:
    """Remember how this person wants the gallery, and show it so."""
    chosen = {name: request.POST.get(name, "") for name in LAYOUT}
    known = Layout.of(chosen)
    kept = {name: getattr(known, name) for name in LAYOUT}
    ReaderPreferences.objects.update_or_create(reader=reader(request), defaults={"layout": kept})
    return redirect(_ours(request.POST.get("next", "")) or "worklist")


def _ours(address: str) -> str:
    """An address of this site, to go back to; nothing where it leads elsewhere."""
    return address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


@require_http_methods(["GET", "POST"])
@login_required
def reading_keys(request: HttpRequest) -> HttpResponse:
    """Which key does what, and a form to change it; two acts never share a key."""
    user = reader(request)
    back = _ours(request.GET.get("next", ""))
    chosen = ReaderPreferences.of(user).keys
    found: dict[str, str] = {}
    if request.method == "POST":
        reset = "reset" in request.POST
        typed = {} if reset else {name: _typed(request, name) for name in keys.ACTS}
        found = keys.problems(typed)
        if not found:
            ReaderPreferences.objects.update_or_create(
                reader=user, defaults={"keys": keys.differing(typed)}
            )
            said = "The keys are as everybody begins with." if reset else "Your keys are kept."
            messages.success(request, said)
            return redirect(back or "reading-keys")
        chosen = typed
    rows = [(act, found.get(act.name, "")) for act in keys.acts(chosen)]
    context = {"rows": rows, "refused": bool(found), "named": keys.NAMED, "back": back}
    return render(request, "cases/keys.html", context, status=200)


def _typed(request: HttpRequest, name: str) -> str:
    return keys.normal(request.POST.get(name, "")[:20].replace("\0", ""))
