// Package localcluster runs real cronraft servers as processes on this machine,
// for the tests and benchmarks that must not know more than a user does: flags,
// HTTP and signals.
package localcluster
