package store_test

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
)

func TestRoutesAreWrittenOnlyOverWhatWasRead(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := open(t, url)
		publish := func(version string, routes map[string]string) bool {
			t.Helper()
			ok, err := s.PublishRoutes(t.Context(), version, routes)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		routes, version, err := s.Routes(t.Context())
		if err != nil || len(routes) != 0 || version != "0" {
			t.Fatalf("empty: %v, %s, %v", routes, version, err)
		}
		if !publish("0", map[string]string{"/a": "x", "/b": "x"}) {
			t.Error("the first one was refused")
		}
		if publish("0", map[string]string{"/a": "y", "/c": "y"}) {
			t.Error("the table was changed since it was read")
		}
		routes, version, err = s.Routes(t.Context())
		if err != nil || !maps.Equal(routes, map[string]string{"/a": "x", "/b": "x"}) {
			t.Errorf("%v, %v", routes, err)
		}
		if !publish(version, map[string]string{"/a": "", "/c": "z"}) {
			t.Error("the second one was refused")
		}
		if routes, _, err = s.Routes(t.Context()); err != nil || !maps.Equal(routes, map[string]string{"/b": "x", "/c": "z"}) {
			t.Errorf("%v, %v", routes, err)
		}

		// Of several that read the same version one is accepted.
		_, version, _ = s.Routes(t.Context())
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				ok, err := s.PublishRoutes(t.Context(), version, map[string]string{"/a": fmt.Sprint(i)})
				if err != nil {
					t.Error(err)
				}
				if ok {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		if accepted.Load() != 1 {
			t.Errorf("%d were accepted", accepted.Load())
		}
	})
}
