"""Addresses under ``/learn/``: public, for everyone."""

from django.urls import path

from education import views

urlpatterns = [
    path("", views.index, name="education"),
    path("model/", views.model_card, name="model-card"),
    path("<slug:slug>/", views.lesson, name="lesson"),
    path("<slug:slug>/summary/", views.lesson_summary, name="lesson-summary"),
]
