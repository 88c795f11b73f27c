// Package crashpoint names the moments at which a crash is worth a test. The code
// announces that it has come to one; a simulation then takes the power away.
// In a server nobody listens.
package crashpoint

// Point is a moment between two steps that a crash must not tear apart.
type Point string

// The points, in the order of a fire's life, and two of the store's.
const (
	// Planned: a plan is committed, and none of its attempts is assigned.
	Planned Point = "a plan is committed and not assigned"
	// Assigned: a node has taken an attempt, and not made its request.
	Assigned Point = "an attempt is assigned and not requested"
	// Answered: the target has answered, and the leader does not know.
	Answered Point = "the target has answered and the outcome is not reported"
	// Swapped: an installed snapshot's database is the current one, and the old
	// one not gone.
	Swapped Point = "a snapshot is swapped in and not indexed"
	// Logged: raft's log has the entries, and the state has not.
	Logged Point = "entries are in the log and not in the state"
)

// All has every point.
var All = []Point{Planned, Assigned, Answered, Swapped, Logged}

// Hook is called by the goroutine that has come to a point, which goes on when it
// returns.
type Hook func(Point)

// Reach calls the hook, if there is one.
func (h Hook) Reach(p Point) {
	if h != nil {
		h(p)
	}
}
