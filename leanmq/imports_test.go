package leanmq_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/leanmq/leanmq/"

func golist(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

// Whoever imports the core gets these and what they need, and nothing else.
func TestCoreImportsOnlyWhatItMay(t *testing.T) {
	allowed := map[string][]string{
		"leanmq": {
			module + "internal/store",
			module + "internal/lazyctx",
			"github.com/redis/go-redis/v9",
			"github.com/rs/zerolog",
			"github.com/go-playground/validator/v10",
			"github.com/robfig/cron/v3",
		},
		"internal/store": {
			"github.com/redis/go-redis/v9",
			"github.com/redis/go-redis/v9/logging",
			"github.com/redis/go-redis/v9/maintnotifications",
		},
	}
	for pkg, allowed := range allowed {
		for _, path := range golist(t, "-f", `{{join .Imports "\n"}}`, module+pkg) {
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

// The embedded store costs only those who import it.
func TestCoreDoesNotLinkTheEmbeddedStore(t *testing.T) {
	for _, path := range golist(t, "-deps", module+"leanmq") {
		if strings.Contains(path, "miniredis") || strings.Contains(path, "gopher-lua") ||
			strings.HasPrefix(path, module) &&
				!slices.Contains([]string{module + "leanmq", module + "internal/store", module + "internal/lazyctx"}, path) {
			t.Errorf("the core links %s", path)
		}
	}
}

// forTests are the packages for tests, of which those in internal may link each other.
var forTests = []string{
	module + "leanmq/leanmqtest",
	module + "internal/testkit", module + "internal/redistest", module + "internal/pgtest", module + "internal/mqtest",
}

// What is for tests is linked by nobody who does not ask for it, and asks for
// nothing but the core and its embedded store.
func TestOnlyTestsLinkWhatIsForTests(t *testing.T) {
	for _, pkg := range golist(t, module+"...") {
		if strings.Contains(pkg, "/redistest/cmd/") { // make cluster
			continue
		}
		testing := slices.Contains(forTests, pkg)
		for _, path := range golist(t, "-deps", pkg) {
			switch {
			case pkg == path:
			case testing && strings.HasPrefix(pkg, module+"internal/") && path != module+"leanmq/leanmqtest":
			case slices.Contains(forTests, path) || path == "testing" && !testing:
				t.Errorf("%s links %s", pkg, path)
			}
		}
	}
	for _, path := range golist(t, "-deps", module+"internal/testkit") {
		if strings.HasPrefix(path, module) && path != module+"internal/testkit" {
			t.Errorf("testkit links %s", path)
		}
	}
	for _, path := range golist(t, "-deps", module+"leanmq/leanmqtest") {
		if strings.HasPrefix(path, module) && !slices.Contains([]string{
			module + "leanmq/leanmqtest", module + "leanmq", module + "leanmq/embedded", module + "internal/store", module + "internal/lazyctx",
		}, path) {
			t.Errorf("leanmqtest links %s", path)
		}
	}
}
