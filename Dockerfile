# A cage: Claude Code, the two mailbox programs, and a user without rights.
#
# Build with `make image`. Nothing secret goes in: credentials are given to the agent when it is launched.
ARG BASE_IMAGE=debian:bookworm-slim

# The machine's extra certificate authorities, when there are any: behind a proxy that inspects TLS nothing can be
# fetched without them. `Dockerfile` goes along because a COPY that matches no file at all is an error.
FROM ${BASE_IMAGE} AS certs
COPY Dockerfile certs*/*.crt /certs/
RUN rm /certs/Dockerfile


FROM ${BASE_IMAGE} AS base
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        ca-certificates curl findutils git less procps ripgrep tar tmux \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=certs /certs/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
# Node.js programs, and Claude Code is built from one, bring their own list of authorities and add this one.
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt


# npm picks the binary for this machine's architecture. The binary runs alone, so Node.js stays behind in this stage.
FROM base AS claude
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# The one place that names the version: it decides flags, hooks and the JSON on the stream.
ARG CLAUDE_CODE_VERSION=2.1.197
RUN npm install --global --no-fund --no-audit "@anthropic-ai/claude-code@${CLAUDE_CODE_VERSION}" \
 && mv "$(readlink -f "$(command -v claude)")" /claude \
 && rm -rf /root/.npm \
 && /claude --version


FROM base
# A setuid program is a way up that nothing in a cage needs.
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +

COPY --from=claude /claude /usr/local/bin/claude

# Some bases come with a user of the same number; it gives way.
ARG CAGE_UID=1000
RUN if taken=$(id -nu "${CAGE_UID}" 2>/dev/null); then userdel "${taken}"; fi \
 && groupadd --force --gid "${CAGE_UID}" trustycage \
 && useradd --create-home --shell /bin/bash --uid "${CAGE_UID}" --gid "${CAGE_UID}" trustycage \
 && install -d -o trustycage -g "${CAGE_UID}" \
        /home/trustycage/project \
        /home/trustycage/.cage /home/trustycage/.cage/outbox /home/trustycage/.cage/inbox /home/trustycage/.cage/cursor \
 # An agent that commits needs a name, and has none of its own.
 && git config --system user.name cage \
 && git config --system user.email cage@localhost \
 && git config --system init.defaultBranch main

ENV TRUSTY_CAGE=1 \
    LANG=C.UTF-8

# The programs last, since they change most. BuildKit says for which architecture it builds; the older builder says nothing,
# and gets what lies in dist/ itself, which is the machine's own.
ARG TARGETARCH
COPY dist/share/ /usr/share/
COPY dist/${TARGETARCH}/cage-send dist/${TARGETARCH}/cage-poll /usr/local/bin/
# The hooks and the time-outs of Claude Code come from the program that answers those hooks, so they cannot drift apart.
RUN ln -s cage-poll /usr/local/bin/cage-wait \
 && install -d /etc/claude-code \
 && cage-poll hook settings > /etc/claude-code/managed-settings.json

ARG BASE_IMAGE
ARG CAGE_VERSION=unversioned
LABEL dev.cage.managed=true \
      dev.cage.role=runtime \
      dev.cage.version="${CAGE_VERSION}" \
      org.opencontainers.image.title="cage" \
      org.opencontainers.image.description="A disposable place for a coding agent, with two mailboxes" \
      org.opencontainers.image.source="https://github.com/cage-rs/cage" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${CAGE_VERSION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

USER trustycage
WORKDIR /home/trustycage/project
CMD ["sleep", "infinity"]
