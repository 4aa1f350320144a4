"""Second factors beside the password, and how long a signing session lasts (R15)."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_letterhead'),
    ]

    operations = [
        migrations.CreateModel(
            name='Factor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('code', 'Authenticator app'), ('passkey', 'Passkey')], max_length=8)),
                ('name', models.CharField(max_length=100)),
                ('sealed', models.TextField(editable=False, help_text="Encrypted: an app's secret, a passkey's public key.")),
                ('credential', models.CharField(editable=False, help_text="SHA-256 of a passkey's id.", max_length=64, null=True)),
                ('counter', models.BigIntegerField(default=0, editable=False, help_text="The step of the last code, or a passkey's own count.")),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['created_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='laboratory',
            name='laboratory_times_are_positive',
        ),
        migrations.AddField(
            model_name='laboratory',
            name='requires_second_factor',
            field=models.BooleanField(default=False, help_text='Whoever has no second factor sets one up after log-in, before anything else.'),
        ),
        migrations.AddField(
            model_name='laboratory',
            name='signing_minutes',
            field=models.PositiveSmallIntegerField(default=30, help_text='Minutes after a full signature in which the password alone signs again.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(480)]),
        ),
        migrations.AddConstraint(
            model_name='laboratory',
            constraint=models.CheckConstraint(condition=models.Q(('idle_minutes__gte', 1), ('signing_minutes__gte', 1), ('routine_turnaround_hours__gte', 1), ('urgent_turnaround_hours__gte', 1)), name='laboratory_times_are_positive'),
        ),
        migrations.AddField(
            model_name='factor',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='factors', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='recoverycode',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recovery_codes', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='factor',
            constraint=models.UniqueConstraint(fields=('credential',), name='passkey_has_one_owner'),
        ),
        migrations.AddConstraint(
            model_name='factor',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('credential', None), ('kind', 'code')), models.Q(('credential__isnull', False), ('kind', 'passkey')), _connector='OR'), name='factor_of_a_kind_with_its_parts'),
        ),
    ]
