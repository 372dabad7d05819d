package leanmq_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page of guarantees names tests that exist, where it says.
func TestGuaranteesAreShown(t *testing.T) {
	page, err := os.ReadFile("../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile("\\[`(Test\\w+)`\\]\\(([^)]+)\\)").FindAllStringSubmatch(string(page), -1)
	if all := strings.Count(string(page), "`Test"); len(links) < 100 || len(links) != all {
		t.Errorf("%d of %d tests are links", len(links), all)
	}
	for _, link := range links {
		src, err := os.ReadFile(filepath.Join("../docs", link[2]))
		if err != nil || !strings.Contains(string(src), "\nfunc "+link[1]+"(") {
			t.Errorf("%s is not in %s", link[1], link[2])
		}
	}
}
