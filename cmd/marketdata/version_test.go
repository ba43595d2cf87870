package main

import (
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	vcs := []debug.BuildSetting{
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-11-29T12:00:00Z"},
	}
	release := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: append(vcs, debug.BuildSetting{Key: "vcs.modified", Value: "false"})}
	release.Main.Version = "v1.2.3"
	modified := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: append(vcs, debug.BuildSetting{Key: "vcs.modified", Value: "true"})}
	modified.Main.Version = "v1.2.4-0.20261129120000-0123abcd+dirty"
	for _, test := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"release", release, "v1.2.3 (revision 0123abcd) go1.26.8 " + platform},
		{"modified", modified, "v1.2.4-0.20261129120000-0123abcd+dirty (revision 0123abcd, modified) go1.26.8 " + platform},
		{"nothing recorded", &debug.BuildInfo{GoVersion: "go1.26.8"}, "(devel) (revision unknown) go1.26.8 " + platform},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := newBuild(test.info).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}

	for want, info := range map[string]*debug.BuildInfo{"": {}, "false": release, "true": modified} {
		if !slices.Contains(newBuild(info).properties(), property{"modified", want}) {
			t.Errorf("modified is not %q in %v", want, newBuild(info).properties())
		}
	}
	if got := newBuild(release); got.Time != "2026-11-29T12:00:00Z" || got.Modified || !newBuild(modified).Modified {
		t.Errorf("got %+v", got)
	}
}
