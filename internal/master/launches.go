// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"log/slog"
	"slices"
	"sort"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// looked takes what the workers of a generation will be started from. The pool
// hears only that they can be; the rest is for people.
func (l *loop) looked(launch link.Launch) {
	l.happened(slog.LevelInfo, wire.Event{Kind: eventLooked, Text: "looked at what to start", Generation: launch.Generation},
		slog.String("program", launch.Program), slog.String("directory", launch.Directory), slog.Int("variables", launch.Variables))
	l.know(launch)
	l.dropLaunches()
	l.step(pool.Looked{Generation: launch.Generation, From: l.releaseOf(launch)})
}

// releaseOf names what workers are started from by what a deploy changes: the
// directory where there is --chdir, or the program's file.
func (l *loop) releaseOf(launch link.Launch) string {
	if l.cfg.Dir != "" {
		return launch.Directory
	}
	return launch.Program
}

// know remembers a launch in the place of what was known of its generation.
func (l *loop) know(launch link.Launch) {
	l.launches = slices.DeleteFunc(l.launches, func(o link.Launch) bool { return o.Generation == launch.Generation })
	l.launches = append(l.launches, launch)
	sort.Slice(l.launches, func(i, j int) bool { return l.launches[i].Generation < l.launches[j].Generation })
}

// dropLaunches forgets those of which no worker lives or may be spawned, as the
// keeper does.
func (l *loop) dropLaunches() {
	used := map[int]bool{}
	for _, g := range l.kept {
		used[g] = true
	}
	for _, w := range l.pool.Workers() {
		used[w.Generation] = true
	}
	l.launches = slices.DeleteFunc(l.launches, func(o link.Launch) bool { return !used[o.Generation] })
}

// newestLaunch is the newest generation that workers can be started from; 0:
// none is known.
func newestLaunch(launches []link.Launch) (generation int) {
	for _, o := range launches {
		generation = max(generation, o.Generation)
	}
	return generation
}

// generations is what status shows of them.
func (l *loop) generations() []wire.Generation {
	l.dropLaunches()
	list := []wire.Generation{}
	for _, o := range l.launches {
		list = append(list, wire.Generation{
			Generation: o.Generation, Program: o.Program, Directory: o.Directory, Variables: o.Variables, LookedAt: o.At.UTC(),
		})
	}
	return list
}
