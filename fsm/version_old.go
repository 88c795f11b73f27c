//go:build cronraft_oldlog

package fsm

// Version makes this a program that knows entries of version 1 only: a test of a
// rolling upgrade begins with it.
const Version = 1
