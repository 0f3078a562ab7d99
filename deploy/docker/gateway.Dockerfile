# gateway: the edge: sockets, frames, sessions. Built from the repository's root (see .dockerignore):
#
#	docker build -f deploy/docker/gateway.Dockerfile .

FROM golang:1.26.8-bookworm AS build
# No workspace: the service's go.mod says where proto is. No toolchain but the one of this image.
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off
WORKDIR /src/gateway
COPY proto/go.mod proto/go.sum /src/proto/
COPY gateway/go.mod gateway/go.sum ./
RUN go mod download
COPY proto/ /src/proto/
COPY gateway/ ./
RUN go build -trimpath -o /out/gateway ./cmd/gateway

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/gateway /usr/local/bin/gateway
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/gateway"]
CMD ["serve"]
