"""A case is held since a moment and until one; who holds a case now has half an hour to show up."""

from django.db import migrations, models

NOW_HELD = """
UPDATE cases_case SET held_since = now(), held_until = now() + interval '30 minutes'
WHERE status = 'reviewing'
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0005_displays")]
    operations = [
        migrations.AddField(
            "case", "held_since", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "case",
            "held_until",
            models.DateTimeField(
                blank=True,
                help_text="When the holder loses the case, unless they show up.",
                null=True,
            ),
        ),
        migrations.RunSQL(NOW_HELD, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "case",
            models.CheckConstraint(
                name="case_is_held_for_a_time",
                condition=models.Q(
                    status__in=["reviewing"], held_since__isnull=False, held_until__isnull=False
                )
                | (
                    ~models.Q(status__in=["reviewing"])
                    & models.Q(held_since__isnull=True, held_until__isnull=True)
                ),
            ),
        ),
        migrations.AddIndex(
            "case",
            models.Index(
                fields=["held_until"],
                name="case_held_until",
                condition=models.Q(held_until__isnull=False),
            ),
        ),
    ]
