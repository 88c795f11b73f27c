package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func serverCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run one node of a cluster",
		Long: "Run one node of a cluster. Each flag can be given as an environment variable: CRONRAFT_ and its name in\n" +
			"capitals with underscores; a flag wins. SIGTERM stops it gracefully, SIGHUP reloads the TLS certificate.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			return runServer(cmd.Context(), &o)
		},
	}
	o.register(cmd.Flags())
	return cmd
}

// runServer returns when ctx is done and everything is in order, or when the
// node failed.
func runServer(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	logger, err := newLogger(os.Stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	key, err := clusterSecret(o)
	if err != nil {
		return err
	}
	rootKey, err := secretText(o.rootAPIKeyFile, "CRONRAFT_ROOT_API_KEY")
	if err != nil {
		return fmt.Errorf("--root-api-key-file: %w", err)
	}
	p, err := startProgram(ctx, o, key, rootKey, logger)
	if err != nil {
		return err
	}
	logger.Info("serving", "node", o.nodeID, "http", o.httpAddr, "peer", o.peerAddr, "gossip", o.gossipAddr, "version", version)
	return p.wait(ctx)
}

// wait serves until ctx is done or the node failed, and then stops.
func (p *program) wait(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			p.reload()
			continue
		case <-ctx.Done():
			p.logger.Info("stopping", "drain", p.options.drainTimeout.String())
		case <-p.node.Dismissed():
			p.logger.Info("leaving the cluster", "drain", p.options.drainTimeout.String())
		case <-p.failed():
			p.logger.Error("this node cannot go on and stops")
		}
		break
	}
	failure := p.failure()
	if err := p.end(context.WithoutCancel(ctx)); err != nil && failure == nil {
		p.logger.Warn("stopped with an error", "err", err)
	}
	return failure
}

// failure is why the node failed; nil if it did not.
func (p *program) failure() error {
	select {
	case <-p.failed():
		return p.node.Err()
	default:
		return nil
	}
}

func (p *program) reload() {
	if p.cert == nil {
		return
	}
	if err := p.cert.reload(); err != nil {
		p.logger.Error("the certificate stays as it was", "err", err)
		return
	}
	p.logger.Info("certificate reloaded")
}
