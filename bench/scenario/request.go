package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// requests: so many callers, each waiting for the answer to its request.
func requests() []*Scenario {
	var all []*Scenario
	for _, callers := range []int{1, 100, 1000} {
		s := Scenario{
			Name:    fmt.Sprint("request/", callers),
			Title:   "Request and reply",
			About:   callersThat(callers, "send a request, wait for its answer"),
			Row:     "`Request`, " + atOnce(callers),
			Systems: []system.System{system.LeanMQ, system.Bare, system.Micro},
			Main:    measure.Rate,
			Goals:   []Goal{{Metric: measure.Rate, Versus: "bare", AtLeast: 0.9}},
			Run:     func(ctx context.Context, r *Run) ([]measure.Measure, error) { return request(ctx, r, callers) },
		}
		if callers == 1 {
			s.Main, s.Lower = measure.P50, true
			s.Goals = []Goal{{Metric: measure.P50, Versus: "bare", AtMost: 1.15}}
		}
		all = append(all, variants(s, false, callers == 100)...)
	}
	return all
}

func request(ctx context.Context, r *Run, callers int) (ms []measure.Measure, err error) {
	requester := r.Open.(system.Requester)
	stop, err := requester.Serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return load(r, callers, 1, func() error {
		answer, err := requester.Request(ctx, r.Payload)
		if err == nil && !bytes.Equal(answer, r.Payload) {
			err = fmt.Errorf("the answer has %d bytes, the request %d", len(answer), len(r.Payload))
		}
		return err
	})
}
