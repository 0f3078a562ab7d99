package sockets

// Cut takes a frame off what a server sent.
var Cut = cut
