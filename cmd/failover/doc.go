// Command failover breaks clusters of real servers in every way that it can, while
// clients use them, and checks from outside what came of it.
//
//	failover [--short | --full] [--only a,b] [--seed N] [--binary bin/cronraft] [--namespaces auto|on|off] [--out DIR]
//	failover --recheck FILE
//
// As root on Linux each server has a network namespace, so that it can be cut off:
//
//	this process                                 namespace ..hub      namespaces ..n1 to ..n5
//	+------------------------------------------+   +---------+   +------------------------------+
//	| writers     create, edit, run, cancel    |   |         |---| n1  bin/cronraft server      |
//	| registers   read and write one field     |   |         |   +------------------------------+
//	| pollers     read executions              |---| bridge  |---| n2  nftables drop what comes |
//	| target      answers, holds, fails        |   |         |   |     in from others           |
//	| scenario    signals, nft, strace, mount  |   |         |   +------------------------------+
//	+------------------------------------------+   |         |---| n3  ...                      |
//	                                               +---------+   +------------------------------+
//
// This process hears and is heard by every node, also by one that the others do not
// hear: such a node is asked things, and calls targets. Without root all are on loopback,
// and the scenarios that need more are left out; the table says so and why.
//
// # A scenario
//
//	jobs are created    something is done                    undone
//	     |  2 s              |        for some seconds          |   3 s
//	-----+-------------------+----------------------------------+------+--> clients end, holds end
//	     clients write, read, poll; targets are called                 |
//	                                                                   wait until nothing is behind
//	                                                                   pause all jobs       = settled
//	                                                                   wait until nothing is open
//	                                                                   read jobs, executions, hashes
//	                                                                   check; delete the jobs
//
// Each scenario fails if what it does had no effect: a process that is stopped has to
// stand still, a cut has to drop packets, another node has to lead. The scenarios of a
// run share a cluster, unless they need one of their own or the last one found
// something wrong.
//
// What was seen goes into a [checker.History], whose rules are in that package. Beside
// it, several clients at once read and write the description of a few jobs that never
// fire; whether those histories are linearizable is for porcupine to say. And some
// answers are wrong whatever else happens: a job that is not found although nobody
// deleted it, one request with one Idempotency-Key that makes two things.
//
// # What may go wrong with the suite itself
//
// The target runs on the same machine as everything else. It notes a request when it
// gets to see it, which on a busy machine is some milliseconds after its arrival;
// what its client has given up by then is noted as over when it came. It notes an end
// before it writes an answer, so that nothing that the answer causes comes before it.
// When the whole process did not run for a while, a connection that it then finds closed
// may have been closed since the begin of that while, and is noted so.
//
// A client that got no answer notes its operation as unknown, and one that had no
// connection to send anything on as refused. Nothing is sent twice, but for requests
// with an Idempotency-Key.
//
// All names begin with the process's ID, and everything is removed at the end, after
// Ctrl-C too. What a killed run leaves, the next one removes. Nothing is changed in the
// namespace that this process is in, but for one interface with an address in
// 10.231.0.0/16.
package main
