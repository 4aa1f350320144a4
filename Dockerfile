# One image for web server, worker and clock; docker-compose.yml says which command each runs.

FROM node:22-slim AS frontend
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    DJANGO_SETTINGS_MODULE=config.settings \
    STATE_DIR=/app/state \
    OMP_NUM_THREADS=1
WORKDIR /app

# The dependencies alone, so that a change of the code does not install them again.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/requirements.txt \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt

COPY --from=frontend /build/node_modules ./node_modules
COPY . .

# Everything is root's and read-only to the application, save its state folder.
RUN python manage.py collectstatic --no-input \
    && useradd --system --uid 10001 --no-create-home cytodesk \
    && mkdir -p state/media state/models state/mail \
    && chown -R cytodesk state
USER cytodesk

EXPOSE 8000
CMD ["gunicorn", "config.wsgi:application", "--bind=0.0.0.0:8000", "--no-control-socket", \
     "--worker-class=gthread", "--workers=2", "--threads=8", "--worker-tmp-dir=/dev/shm", \
     "--timeout=120", "--access-logfile=-"]
