package arch

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestDependenciesHaveReasons compares the list of docs/architecture.md with the direct dependencies of go.mod.
func TestDependenciesHaveReasons(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}

	row := regexp.MustCompile("(?m)^\\| `([^`]+\\.[^`]+/[^`]+)` \\| [^|]+ \\| [^|]+ \\|$")
	var listed []string
	for _, match := range row.FindAllSubmatch(text, -1) {
		listed = append(listed, string(match[1]))
	}

	direct := directDependencies(t)
	for _, path := range direct {
		if !slices.Contains(listed, path) {
			t.Errorf("%s is a direct dependency without a reason in docs/architecture.md", path)
		}
	}
	for _, path := range listed {
		if !slices.Contains(direct, path) {
			t.Errorf("docs/architecture.md lists %s, which is not a direct dependency", path)
		}
	}
}

func directDependencies(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}

	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}

	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}

	return direct
}
