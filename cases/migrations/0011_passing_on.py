"""A case can be sent back, and what colleagues say when they pass it on is kept."""

import cases.clock
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0010_audit_event_view'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='sent_back_to',
            field=models.ForeignKey(blank=True, help_text='Who is asked to mend the case, until it is submitted again.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(choices=[('hand_over', 'Handed over'), ('send_back', 'Sent back')], max_length=12)),
                ('text', models.TextField(blank=True)),
                ('at', models.DateTimeField(default=cases.clock.now)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='cases.case')),
                ('to', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['at', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('reason', 'send_back'), _negated=True), models.Q(('text', ''), _negated=True), _connector='OR'), name='case_sent_back_comes_with_words')],
            },
        ),
    ]
