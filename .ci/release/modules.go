package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// platform is a target of the Go compiler.
type platform struct{ os, arch string }

// String returns the platform as Go names it.
func (p platform) String() string { return p.os + "/" + p.arch }

var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"darwin", "amd64"}, {"windows", "amd64"},
}

// goCommand returns a go command that runs in root and compiles for the platform. Settings of the environment that
// change a program are fixed, because two builds must have the same bytes.
func goCommand(root string, p platform, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off",
		"GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off")

	return cmd
}

// module is a module that is linked, with the license files that cover its linked packages.
type module struct {
	path, version string
	platforms     []platform
	files         []licenseFile // the root of the module first
}

// packages is the import pattern of what users link: the command, and every package of the library.
var packages = []string{"./cmd/...", "./wiring/...", "./app/...", "./adapters/...", "./ports/...", "./domain/..."}

// linkedModules returns the modules that any platform links, in the order of their paths. The standard library is the
// first.
func linkedModules(root string) ([]*module, error) {
	standard, err := standardLibrary(root)
	if err != nil {
		return nil, err
	}

	byPath := map[string]*module{}
	for _, p := range platforms {
		if err := addLinked(byPath, root, p); err != nil {
			return nil, fmt.Errorf("list the packages for %s: %w", p, err)
		}
	}

	linked := []*module{standard}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		linked = append(linked, byPath[path])
	}

	return linked, nil
}

func standardLibrary(root string) (*module, error) {
	out, err := goCommand(root, platforms[0], "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, err
	}

	goroot, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	std := &module{path: "std", version: version, platforms: platforms}

	return std, std.addLicenseFiles(goroot, goroot)
}

// listedPackage is a package as `go list -json` describes it.
type listedPackage struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// addLinked adds the modules whose packages the platform links.
func addLinked(byPath map[string]*module, root string, p platform) error {
	args := append([]string{"list", "-deps", "-json=Dir,Standard,Module"}, packages...)
	out, err := goCommand(root, p, args...).Output()
	if err != nil {
		return err
	}

	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg listedPackage
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if pkg.Standard || pkg.Module == nil || pkg.Module.Main {
			continue
		}

		m := byPath[pkg.Module.Path]
		if m == nil {
			m = &module{path: pkg.Module.Path, version: pkg.Module.Version}
			byPath[m.path] = m
		}
		if !slices.Contains(m.platforms, p) {
			m.platforms = append(m.platforms, p)
		}
		if err := m.addLicenseFiles(pkg.Module.Dir, pkg.Dir); err != nil {
			return err
		}
	}
}

// isLicenseFile matches the names under which a license or a notice is published.
var isLicenseFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)([-._].*)?$`)

// addLicenseFiles adds the license files of the folder of a linked package and of the folders above it, up to the root
// of its module.
func (m *module) addLicenseFiles(moduleDir, packageDir string) error {
	var folders []string
	for dir := packageDir; ; dir = filepath.Dir(dir) {
		folders = append(folders, dir)
		if dir == moduleDir {
			break
		}
	}

	for _, dir := range slices.Backward(folders) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}

		for _, e := range entries {
			if e.IsDir() || filepath.Ext(e.Name()) == ".go" || !isLicenseFile.MatchString(e.Name()) {
				continue
			}
			if err := m.addLicenseFile(moduleDir, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}

	return nil
}

func (m *module) addLicenseFile(moduleDir, path string) error {
	relative, err := filepath.Rel(moduleDir, path)
	if err != nil {
		return err
	}

	name := filepath.ToSlash(relative)
	if slices.ContainsFunc(m.files, func(f licenseFile) bool { return f.name == name }) {
		return nil
	}

	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	m.files = append(m.files, licenseFile{name: name, text: string(text)})

	return nil
}
