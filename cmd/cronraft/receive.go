package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cronraft/cronraft/internal/receiver"
)

func receiveCommand() *cobra.Command {
	var addr string
	var keys []string
	cmd := &cobra.Command{
		Use:   "receive",
		Short: "Receive callbacks and print them, for trying things out",
		Long: "Receive callbacks and print them, for trying things out. Given --api-key (or CRONRAFT_API_KEY) it verifies their\n" +
			"signatures. The target URL may ask for a certain answer: ?status=503, ?delay=10s.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if key := os.Getenv("CRONRAFT_API_KEY"); key != "" && len(keys) == 0 {
				keys = []string{key}
			}
			handler := receiver.New(receiver.Config{APIKeys: keys, Out: cmd.OutOrStdout(), Verbose: true})
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				return fmt.Errorf("--addr: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "receiving on http://%s/\n", listener.Addr())
			return serveUntil(cmd.Context(), listener, handler)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:9999", "address to listen on")
	cmd.Flags().StringSliceVar(&keys, "api-key", nil, "API key to verify signatures with; repeatable")
	return cmd
}

// serveUntil serves until ctx is done.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
