// Package compose has no code: it is the folder of what docker-compose.yml in the repository's root needs beside it
// (NATS' configuration, .env.example, make-env.sh). Its tests hold the compose file to its promises, since no Docker
// engine is needed to see most of what can be wrong with one.
package compose
