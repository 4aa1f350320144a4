"""Find quickly whether a person has looked at a case lately (R18)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0009_committed_reads_are_locked")]
    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(condition=models.Q(action="view"), fields=["case", "actor", "at"], name="audit_event_view"),
        ),
    ]
