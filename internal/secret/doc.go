// Package secret holds the cluster secret: 32 random bytes that every node of a
// cluster is given, and everything the nodes derive from them with HKDF-SHA256,
// each for one purpose and under a label of its own:
//
//   - the key that encrypts gossip ([Cluster.GossipKey]);
//   - a certificate authority, the same on every node, from which each node
//     issues itself a certificate at start ([Cluster.TLS]): mutual TLS between
//     the nodes without a PKI to run;
//   - the key that seals users' secrets at rest ([Cluster.Seal], [Cluster.Open]).
//
// Whoever holds the secret is a node. To lose it is to lose what was sealed; to
// change a label or a fixed field of the authority is to lock old nodes out, so
// the tests pin what is derived from a known secret.
package secret
