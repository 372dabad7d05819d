package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Run registers the routes and handles messages and events until ctx ends; then it drains
// as [leanmq.Queue.Consume] does. It returns nil after a clean drain. A pattern
// that belongs to another service is a [*TakenError]. While Redis is away it
// keeps trying. Run may be called once.
func (s *Service) Run(ctx context.Context) error {
	if s.running {
		return fmt.Errorf("webhook: service %q is already running", s.name)
	}
	s.running = true
	if len(s.routes)+len(s.feeds) == 0 {
		return fmt.Errorf("webhook: service %q has no routes", s.name)
	}
	if err := checkServiceName(s.name); err != nil {
		return err // before it is in anybody's route table
	}
	if err := s.checkOptions(); err != nil {
		return err // as well
	}
	if err := s.publishUntil(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	close(s.ready)

	// One consumer that cannot go on ends the others.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var consumers []func() error
	for _, rt := range s.routes {
		consumers = append(consumers, func() error { return s.consumeRoute(ctx, rt) })
	}
	for _, f := range s.feeds {
		consumers = append(consumers, func() error { return f.consume(ctx, s) })
	}
	errs := make([]error, len(consumers))
	for i, consume := range consumers {
		wg.Go(func() {
			if errs[i] = consume(); errs[i] != nil {
				cancel()
			}
		})
	}
	if len(s.routes) > 0 {
		wg.Go(func() { s.tend(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// checkOptions says what the consumers would refuse, or every request.
func (s *Service) checkOptions() error {
	errs := []error{s.bind.checkRules()}
	for _, rt := range s.routes {
		errs = append(errs, s.queue(rt).CheckConsume(s.options(rt)...))
	}
	for _, f := range s.feeds {
		errs = append(errs, f.of(s.mq).Queue().CheckConsume(f.options(s)...))
	}
	return errors.Join(errs...)
}

func (s *Service) consumeRoute(ctx context.Context, rt *route) error {
	return s.queue(rt).Consume(ctx, rt.serve, s.options(rt)...)
}

func (s *Service) queue(rt *route) *leanmq.Queue { return s.mq.Queue(queueOf(s.name, rt.pattern)) }

func (s *Service) options(rt *route) []leanmq.ConsumeOption {
	return slices.Concat(s.consume, rt.consume)
}

// publishUntil registers the routes, however long Redis is away.
func (s *Service) publishUntil(ctx context.Context) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := s.publish(ctx)
		if !errors.Is(err, leanmq.ErrUnavailable) {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
