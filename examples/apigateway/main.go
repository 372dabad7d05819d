// Apigateway is an order service behind an API gateway: paths instead of URLs of
// servers, a durable queue between caller and handler, and request–response by
// correlation id.
//
//	go run ./examples/apigateway
//
// plays a short conversation on the embedded store and ends.
//
//	go run ./examples/apigateway -listen 127.0.0.1:8080 [-redis redis://localhost:6379]
//
// serves the same over HTTP until SIGINT or SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
)

func main() {
	listen := flag.String("listen", "", "serve HTTP on this `address` instead of playing the demo")
	redis := flag.String("redis", "mem://", "`URL` of the Redis server; mem:// is the embedded store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *redis); err != nil {
		fmt.Fprintln(os.Stderr, "apigateway:", err)
		os.Exit(1)
	}
}

// run starts the service and the gateway, and ends both.
func run(ctx context.Context, listen, redis string) error {
	log := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly}).
		Level(zerolog.InfoLevel).With().Timestamp().Logger()
	mq, err := leanmq.Open(ctx, redis, leanmq.Logger(log))
	if err != nil {
		return err
	}
	defer func() { _ = mq.Close() }()

	// The service goes on when ctx ends: what the gateway has accepted is answered.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	orders := newOrderService(mq)
	ended := make(chan error, 1)
	go func() { ended <- orders.Run(serving) }()
	select {
	case <-orders.Ready():
	case err := <-ended:
		stop()
		return err
	case <-ctx.Done():
		stop()
		return <-ended
	}

	gw := gateway.New(mq, gateway.Timeout(5*time.Second))
	if listen == "" {
		err = demo(ctx, gw)
	} else {
		err = serve(ctx, listen, gw)
	}
	stop() // the service drains: what it has begun is finished
	return errors.Join(err, gw.Close(), <-ended)
}

// serve answers HTTP until ctx ends, and finishes the requests under way.
func serve(ctx context.Context, address string, gw http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	srv := &http.Server{Handler: gw, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return srv.Shutdown(grace)
}
