# What the peer's commands need in a cage, on the same base image as ours and without an agent.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates git procps python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 trustycage && useradd --create-home --uid 1000 --gid trustycage trustycage \
    && mkdir -p /home/trustycage/project && chown trustycage:trustycage /home/trustycage/project
# They come out of the installed package.
COPY cage-send cage-wait /usr/local/bin/
RUN chmod 755 /usr/local/bin/cage-send /usr/local/bin/cage-wait
ENV TRUSTY_CAGE=1
USER trustycage
WORKDIR /home/trustycage/project
CMD ["sleep", "infinity"]
