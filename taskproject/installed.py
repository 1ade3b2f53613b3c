"""Installed parts of the site: Django apps and middlewares, in their order."""

from __future__ import annotations

APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "procrastinate.contrib.django",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "tasks",
    "analysis",
    "taskproject",
]

MIDDLEWARE = [
    "tasks.api.request_log.RequestLogMiddleware",
    "tasks.api.answer_headers.AnswerHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tasks.api.middleware.DatabaseOutageMiddleware",
    "tasks.api.middleware.ApiMiddleware",
    "tasks.api.middleware.PolicyMiddleware",
    "tasks.console.policy.ConsolePolicyMiddleware",
    "tasks.console.addresses.ConsoleAddressMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tasks.api.middleware.HostMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
