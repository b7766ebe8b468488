# Change Windows on Airflow's own image; its packages are exactly the lock's.
ARG BASE_IMAGE=apache/airflow:3.3.2-python3.11
FROM ${BASE_IMAGE}

USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*

# A new named volume takes the owner of the folder it covers.
RUN install --directory --owner=airflow --group=0 --mode=775 \
    /opt/airflow/auth /opt/airflow/changes /opt/airflow/logs /opt/airflow/spool /opt/airflow/world

USER airflow
COPY --chown=airflow:0 requirements.txt /opt/airflow/
# uv also removes what the base image has beyond the lock: a provider left over would run with our versions untested.
RUN if command -v uv; \
    then uv pip sync --no-cache --require-hashes /opt/airflow/requirements.txt; \
    else pip install --no-cache-dir --require-hashes --requirement /opt/airflow/requirements.txt; \
    fi

COPY --chown=airflow:0 dags/ /opt/airflow/dags/
COPY --chown=airflow:0 plugins/ /opt/airflow/plugins/
COPY --chown=airflow:0 include/ /opt/airflow/include/
ENV PYTHONPATH=/opt/airflow/include
