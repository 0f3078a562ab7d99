// Package docker has no code: it is the folder of the services' Dockerfiles. Its tests carry the build steps out without
// an engine: they copy what COPY copies, as .dockerignore filters it, and run what RUN runs, in a temporary folder.
package docker
