# The services that are Go alone: a static binary on an image that has nothing else, run as nobody in particular.
# BINARY says which of them: greeter, gateway, image-manager or storage. All are compiled in one stage, which is built once for
# all images: what they share is compiled once.
ARG GO_IMAGE=golang:1.26-trixie
ARG RUNTIME_IMAGE=gcr.io/distroless/static-debian13:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,id=calotype-modules,target=/go/pkg/mod --mount=type=cache,id=calotype-build,target=/root/.cache/go-build \
    go build -ldflags "-s -w -buildid= -X calotype/kit/boot.Version=${VERSION} -X calotype/kit/boot.Commit=${COMMIT}" -o /out/ \
      ./gateway ./services/greeter ./services/image ./services/storage \
 && mv /out/image /out/image-manager \
 && find /out -exec touch -d "@${SOURCE_DATE_EPOCH}" {} +
# A folder for a volume of plain files, which a new volume takes its owner from.
RUN mkdir -p /out/data && chown 65532:65532 /out/data

FROM ${RUNTIME_IMAGE}
ARG BINARY
ARG VERSION=dev
ARG COMMIT=unknown
ARG SOURCE=
COPY --from=build /out/${BINARY} /usr/bin/calotype-service
COPY --from=build --chown=65532:65532 /out/data /data
LABEL org.opencontainers.image.title="calotype ${BINARY}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
WORKDIR /
EXPOSE 8080 9000 9100
HEALTHCHECK --interval=5s --timeout=4s --retries=3 --start-period=30s CMD ["/usr/bin/calotype-service", "--check"]
ENTRYPOINT ["/usr/bin/calotype-service"]
