package secret

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// serverName is the name in every node's certificate: nodes prove that they are
// of the cluster, not where they live, so that addresses may change.
const serverName = "peer.cronraft"

const (
	// leafLife outlasts any node process: a certificate is made at each start.
	leafLife = 10 * 365 * 24 * time.Hour
	// clockSkew is how far behind another node's clock may be.
	clockSkew = 24 * time.Hour
)

// authority signs the nodes' certificates. It is a function of the secret alone,
// to the byte: no node needs another's to trust it.
type authority struct {
	key  ed25519.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(seed []byte) (*authority, error) {
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cronraft cluster authority"},
		NotBefore:             time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	cert, err := issue(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{key: key, cert: cert, pool: pool}, nil
}

// TLS issues a certificate for the node and returns a configuration for both
// ends of a peer connection: TLS 1.3, and each end proves that it knows the
// cluster secret. The certificate is good for ten years from now; make a new one
// at each start. The caller owns the configuration, and sets NextProtos.
func (c *Cluster) TLS(nodeID string, now time.Time) (*tls.Config, error) {
	if nodeID == "" {
		return nil, errors.New("a node without an ID gets no certificate")
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the node's key: %w", err)
	}
	leaf, err := c.authority.issueLeaf(nodeID, now, public)
	if err != nil {
		return nil, fmt.Errorf("issue the node's certificate: %w", err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}},
		RootCAs:                c.authority.pool,
		ClientCAs:              c.authority.pool,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ServerName:             serverName,
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}, nil
}

func (a *authority) issueLeaf(nodeID string, now time.Time, public ed25519.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: nodeID},
		DNSNames:     []string{serverName},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return issue(template, a.cert, public, a.key)
}

func issue(template, parent *x509.Certificate, public any, key ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
