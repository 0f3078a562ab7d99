# chatsvc: the rules and the storage. Built from the repository's root (see .dockerignore):
#
#	docker build -f deploy/docker/chatsvc.Dockerfile .

FROM golang:1.26.8-bookworm AS build
# No workspace: the service's go.mod says where proto is. No toolchain but the one of this image.
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off
WORKDIR /src/chatsvc
COPY proto/go.mod proto/go.sum /src/proto/
COPY chatsvc/go.mod chatsvc/go.sum ./
RUN go mod download
COPY proto/ /src/proto/
COPY chatsvc/ ./
RUN go build -trimpath -o /out/chatsvc ./cmd/chatsvc

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/chatsvc /usr/local/bin/chatsvc
USER 65532:65532
EXPOSE 9090
ENTRYPOINT ["/usr/local/bin/chatsvc"]
CMD ["serve"]
