"""Look-backs, histology, and how much a person may read."""

import cases.clock
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0011_passing_on'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Histology',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('biopsy', 'Cervical biopsy'), ('curettage', 'Endocervical curettage'), ('excision', 'Excision or cone'), ('hysterectomy', 'Hysterectomy'), ('other', 'Other tissue')], max_length=12)),
                ('reported_on', models.DateField()),
                ('result', models.CharField(choices=[('BENIGN', 'Benign, no dysplasia'), ('LSIL', 'Low-grade squamous intraepithelial lesion (CIN 1)'), ('HSIL', 'High-grade squamous intraepithelial lesion (CIN 2 or 3)'), ('AIS', 'Adenocarcinoma in situ'), ('SCC', 'Squamous cell carcinoma'), ('ADC', 'Adenocarcinoma'), ('MAL-OTHER', 'Other malignant neoplasm'), ('INSUFFICIENT', 'Insufficient for a result')], max_length=12)),
                ('cytology', models.JSONField(help_text='The read that it was compared with.')),
                ('agreement', models.CharField(choices=[('agrees', 'Agreement'), ('step', 'Step difference'), ('major', 'Major step difference'), ('none', 'Not comparable')], max_length=8)),
                ('steps', models.PositiveSmallIntegerField()),
                ('cause', models.CharField(blank=True, choices=[('sampling', 'Sampling: the cells were not in the specimen'), ('screening', 'Screening: the cells were there and not seen'), ('interpretive', 'Interpretive: the cells were seen and named otherwise')], max_length=12)),
                ('note', models.TextField(blank=True)),
                ('recorded_at', models.DateTimeField(default=cases.clock.now)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='histologies', to='cases.case')),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'histologies',
                'ordering': ['-recorded_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('agreement__in', ['step', 'major']), models.Q(('cause', ''), _negated=True)), models.Q(models.Q(('agreement__in', ['step', 'major']), _negated=True), ('cause', '')), _connector='OR'), name='histology_that_differs_has_a_cause')],
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('look_back', 'Look-back')], default='look_back', max_length=12)),
                ('opened_at', models.DateTimeField(default=cases.clock.now)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.CharField(blank=True, choices=[('confirmed', 'Confirmed: the specimen is negative'), ('discrepancy', 'Discrepancy that does not affect care'), ('affects_care', 'Discrepancy that affects care')], max_length=12)),
                ('note', models.TextField(blank=True)),
                ('notified', models.CharField(blank=True, max_length=200)),
                ('notified_at', models.DateTimeField(blank=True, null=True)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='cases.case')),
                ('done_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('trigger', models.ForeignKey(help_text='What asks for it.', on_delete=django.db.models.deletion.PROTECT, related_name='triggered', to='cases.case')),
            ],
            options={
                'ordering': ['opened_at', 'pk'],
                'constraints': [models.UniqueConstraint(models.F('case'), models.F('trigger'), models.F('kind'), name='task_is_opened_once'), models.CheckConstraint(condition=models.Q(models.Q(('done_at', None), ('done_by', None), ('result', '')), models.Q(('done_at__isnull', False), ('done_by__isnull', False), models.Q(('result', ''), _negated=True)), _connector='OR'), name='task_is_done_by_somebody_with_a_result'), models.CheckConstraint(condition=models.Q(models.Q(('result', 'affects_care'), _negated=True), models.Q(models.Q(('notified', ''), _negated=True), ('notified_at__isnull', False)), _connector='OR'), name='task_that_affects_care_names_who_was_notified')],
            },
        ),
        migrations.CreateModel(
            name='WorkloadLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hours', models.DecimalField(decimal_places=1, help_text='Of reading in a day.', max_digits=3)),
                ('slides', models.PositiveSmallIntegerField(help_text='In 24 hours.')),
                ('set_at', models.DateTimeField(default=cases.clock.now)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='workload_limits', to=settings.AUTH_USER_MODEL)),
                ('set_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['set_at', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('hours__gt', 0), ('hours__lte', 24), ('slides__lte', 100), ('slides__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('hours'), '*', models.Value(100)), '/', models.Value(8)))), name='workload_is_under_the_ceiling')],
            },
        ),
    ]
