# The processing node: Debian's libvips, by cgo, with jemalloc in malloc's place.
ARG GO_IMAGE=golang:1.26-trixie
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${GO_IMAGE} AS build
RUN --mount=type=cache,id=calotype-apt,target=/var/cache/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends pkg-config libvips-dev >/dev/null \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV CGO_ENABLED=1 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,id=calotype-modules,target=/go/pkg/mod --mount=type=cache,id=calotype-build,target=/root/.cache/go-build \
    go build -ldflags "-s -w -buildid= -X calotype/kit/boot.Version=${VERSION} -X calotype/kit/boot.Commit=${COMMIT}" -o /out/image-worker ./services/image/worker \
 && touch -d "@${SOURCE_DATE_EPOCH}" /out/image-worker

FROM ${RUNTIME_IMAGE}
# AVIF is written by aom and read by dav1d or aom, HEIC is read by libde265: libheif takes them from plug-ins, which are not installed by themselves.
RUN --mount=type=cache,id=calotype-apt,target=/var/cache/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libvips42t64 libjemalloc2 fonts-dejavu-core \
      libheif-plugin-aomenc libheif-plugin-aomdec libheif-plugin-dav1d libheif-plugin-libde265 >/dev/null \
 && ln -s "$(find /usr/lib -name libjemalloc.so.2)" /usr/lib/libjemalloc.so.2 \
 && rm -rf /var/lib/apt/lists/* /var/log/*
ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2 MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0
ARG VERSION=dev
ARG COMMIT=unknown
ARG SOURCE=
COPY --from=build /out/image-worker /usr/bin/calotype-service
LABEL org.opencontainers.image.title="calotype image-worker" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
WORKDIR /
EXPOSE 9000 9100
HEALTHCHECK --interval=5s --timeout=4s --retries=3 --start-period=30s CMD ["/usr/bin/calotype-service", "--check"]
ENTRYPOINT ["/usr/bin/calotype-service"]
