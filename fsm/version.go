//go:build !cronraft_oldlog

package fsm

// Version is the newest version of log entries that this program reads and
// writes. Each decision is written in the lowest version that can express it,
// and a leader submits none that needs more than [Store.LogVersion].
const Version = 3
