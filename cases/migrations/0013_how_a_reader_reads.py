import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0012_after_the_signature'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='cellimage',
            name='micrometres',
            field=models.FloatField(blank=True, help_text="Of a pixel's side, where the file's header says so.", null=True),
        ),
        migrations.CreateModel(
            name='ReaderPreferences',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('layout', models.JSONField(default=dict, help_text='See `cases.arrangement`.')),
                ('keys', models.JSONField(default=dict, help_text='See `cases.keys`.')),
                ('reader', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'reader preferences',
            },
        ),
    ]
