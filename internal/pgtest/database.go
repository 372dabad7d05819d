package pgtest

import (
	"fmt"
	"sync"
	"testing"
)

// shared is the server of all Database tests in this binary.
var shared struct {
	mu     sync.Mutex
	server *server // nil until the first use
	made   int     // databases
	main   bool    // With is there to stop it
}

// Database makes an empty database on the shared server and returns its connection
// string. It is dropped when the test ends, with whatever connections it still has.
// Tests that use it may be parallel.
func Database(t testing.TB) string {
	t.Helper()
	bin := find(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("Database needs pgtest.With in the TestMain")
	}
	if shared.server == nil {
		s, err := launch(bin)
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	s := shared.server
	shared.made++
	name := fmt.Sprintf("test%d", shared.made)
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.url(name)
}

// Runner is what runs tests: a *testing.M, or what is around one.
type Runner interface{ Run() int }

// With returns a Runner that runs m and then stops the shared server.
func With(m Runner) Runner {
	shared.main = true
	return runner{m}
}

type runner struct{ m Runner }

func (r runner) Run() int {
	defer func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.server != nil {
			shared.server.remove()
			shared.server = nil
		}
	}()
	return r.m.Run()
}
