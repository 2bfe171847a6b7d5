# The service with the bundles of models/. No torch: serving needs none.
#   docker build -t nextword .
#   docker run --rm -p 8000:8000 nextword

FROM python:3.11-slim AS build
RUN python -m venv /opt/nextword
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY nextword ./nextword
COPY service ./service
RUN /opt/nextword/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --no-create-home --shell /usr/sbin/nologin nextword
COPY --from=build /opt/nextword /opt/nextword
WORKDIR /srv/nextword
COPY nextword.toml ./
COPY models ./models
ENV PATH=/opt/nextword/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NEXTWORD_HOST=0.0.0.0 \
    NEXTWORD_PORT=8000
USER nextword
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['NEXTWORD_PORT'] + '/health/ready', timeout=2)"]
CMD ["nextword", "serve"]
