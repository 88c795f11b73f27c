// Package logpb is the format of log entries and of the records in the store, generated
// from log.proto.
package logpb
