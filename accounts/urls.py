"""The addresses of log-in, one's own account, and the administrators' pages."""

from django.contrib.auth.views import LogoutView, PasswordResetDoneView
from django.urls import path

from accounts import administration, second_factor, views

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("login/factor/", views.login_factor, name="login-factor"),
    path("login/passkey/", second_factor.passkey_challenge, name="passkey-challenge"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/<str:secret>/", views.invitation_accept, name="invitation-accept"),
    path("password/", views.PasswordChange.as_view(), name="password-change"),
    path("password/reset/", views.PasswordReset.as_view(), name="password-reset"),
    path(
        "password/reset/sent/",
        PasswordResetDoneView.as_view(template_name="accounts/password_reset_sent.html"),
        name="password-reset-sent",
    ),
    path(
        "password/reset/<uidb64>/<token>/",
        views.PasswordResetConfirm.as_view(),
        name="password-reset-confirm",
    ),
    path("profile/", views.profile, name="profile"),
    path("profile/tokens/", views.token_make, name="token-make"),
    path("profile/tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("profile/factors/", second_factor.factor_list, name="factor-list"),
    path("profile/factors/app/", second_factor.factor_app, name="factor-app"),
    path("profile/factors/passkey/", second_factor.factor_passkey, name="factor-passkey"),
    path("profile/factors/passkey/offer/", second_factor.passkey_offer, name="passkey-offer"),
    path("profile/factors/recovery/", second_factor.recovery_codes, name="recovery-codes"),
    path("profile/factors/<int:pk>/remove/", second_factor.factor_remove, name="factor-remove"),
    path("laboratory/people/", administration.user_list, name="user-list"),
    path("laboratory/people/events/", administration.event_list, name="account-events"),
    path("laboratory/people/invite/", administration.invitation_make, name="invitation-make"),
    path(
        "laboratory/people/invitations/<int:pk>/reissue/",
        administration.invitation_reissue,
        name="invitation-reissue",
    ),
    path(
        "laboratory/people/invitations/<int:pk>/withdraw/",
        administration.invitation_withdraw,
        name="invitation-withdraw",
    ),
    path("laboratory/people/<int:pk>/", administration.user_detail, name="user-detail"),
    path("laboratory/people/<int:pk>/role/", administration.user_role, name="user-role"),
    path("laboratory/people/<int:pk>/senior/", administration.user_senior, name="user-senior"),
    path(
        "laboratory/people/<int:pk>/deactivate/",
        administration.user_deactivate,
        name="user-deactivate",
    ),
    path(
        "laboratory/people/<int:pk>/reactivate/",
        administration.user_reactivate,
        name="user-reactivate",
    ),
    path("laboratory/people/<int:pk>/unlock/", administration.user_unlock, name="user-unlock"),
    path(
        "laboratory/people/<int:pk>/reset-link/",
        administration.user_reset_link,
        name="user-reset-link",
    ),
    path(
        "laboratory/people/<int:pk>/reset-factors/",
        administration.user_factors_reset,
        name="user-factors-reset",
    ),
    path("laboratory/settings/", administration.laboratory_settings, name="laboratory-settings"),
]
