// SPDX-License-Identifier: GPL-3.0-or-later

// Package look takes a fresh look at the world, from which the workers of a
// generation are started: the environment, the directory, and the program's
// file.
//
// It runs in a short-lived process that the keeper starts from the binary on
// disk, so that the keeper parses no file, waits for no disk, and is never out
// of date. main.go is what that process does: it is told where to look
// (link.LookAt), applies environ.go and goes to the directory; if there is a
// wrapper (--reexec-as) it becomes that, which ends by executing this program
// again, elsewhere and with another environment. What has arrived is then looked
// at by this file, and sent to the keeper (link.Saw) with two descriptors.
//
// envdir.go and envfile.go read variables. For the very first generation the
// same look is taken before there is a keeper, see First.
package look

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

// maxWorld bounds arguments and environment together. execve(2) allows no more
// than 6 MiB, and the link has to carry them.
const maxWorld = 8 << 20

// At says where to look for workers of this configuration; first is for the
// generation that everything begins with.
func At(cfg *config.Config, first bool) *link.LookAt {
	at := &link.LookAt{Dir: []byte(cfg.Dir), Einhorn: cfg.Einhorn, Program: bytesOf(cfg.Program), Login: bytesOf(cfg.Login)}
	for _, s := range cfg.Env {
		at.Env = append(at.Env, link.EnvSource{Path: []byte(s.Path), Dir: s.Dir, Optional: s.Optional})
	}
	if !first || !cfg.DropUpgraded {
		at.Drop = bytesOf(cfg.DropEnvVars)
	}
	if !first {
		at.ReexecAs = bytesOf(cfg.ReexecAs)
	}
	return at
}

// First looks for the first generation, without a wrapper. This process stays
// in the directory where it is. What comes back is as from a process that
// looks: a Saw and its two descriptors.
func First(cfg *config.Config) (link.Received, error) {
	here, err := openHere()
	if err != nil {
		return link.Received{}, fmt.Errorf("cannot open the current directory: %w", err)
	}
	defer unix.Close(here)
	env := newEnvironment(os.Environ())
	if err := env.apply(At(cfg, true)); err != nil {
		return link.Received{}, err
	}
	saw, fds, err := see(cfg.Program, env.list())
	if cfg.Dir != "" {
		// EACCES: nothing can be found from there anyway.
		if back := unix.Fchdir(here); back != nil && back != unix.EACCES && err == nil {
			link.CloseFDs(fds)
			err = fmt.Errorf("cannot go back to the directory that this was started in: %w", back)
		}
	}
	if err != nil {
		return link.Received{}, err
	}
	return link.Received{Msg: saw, FDs: fds}, nil
}

// see looks at what this process has arrived at: where it is, and the program
// as it is found from here with this environment. The descriptors are of the
// directory and of the program.
func see(program, env []string) (saw *link.Saw, fds []int, err error) {
	size := 0
	for _, list := range [][]string{program, env} {
		for _, s := range list {
			size += len(s) + 1
		}
	}
	if size > maxWorld {
		return nil, nil, fmt.Errorf("cannot start programs with %d bytes of arguments and environment: at most %d are allowed", size, maxWorld)
	}
	if len(program) == 0 {
		return nil, nil, fmt.Errorf("cannot find the program: no name has arrived")
	}
	path, err := config.FindProgram(program[0], config.PathOf(env))
	if err != nil {
		return nil, nil, fmt.Errorf("%w%s", err, release(program[0]))
	}
	defer func() {
		if err != nil {
			link.CloseFDs(fds)
			fds = nil
		}
	}()
	here, err := openHere()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the current directory: %w", err)
	}
	fds = append(fds, here)
	file, err := openPlace(path)
	if err != nil {
		return nil, fds, fmt.Errorf("cannot open %s: %w", path, err)
	}
	fds = append(fds, file)
	var st unix.Stat_t
	if err := unix.Fstat(fds[1], &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fds, fmt.Errorf("cannot execute program %s: it is not a regular file any more", path)
	}
	dir := placeOf(fds[0], workingDir())
	resolved, lerr := filepath.EvalSymlinks(path)
	if lerr != nil {
		resolved = path
	}
	if !filepath.IsAbs(resolved) {
		resolved = filepath.Join(dir, resolved)
	}
	script, windows := isScript(fds[1])
	return &link.Saw{
		Program: bytesOf(program), Env: bytesOf(atHome(env, dir)), Path: []byte(path),
		Resolved: []byte(placeOf(fds[1], resolved)), Directory: []byte(dir), Script: script, Windows: windows,
	}, fds, nil
}

// atHome has PWD, if there is one, say where a worker is without symbolic links.
// A program that trusts it may go there again later (gunicorn does, for each of its
// own processes), and must find the release that its generation was started from,
// though a link on the way was switched since.
func atHome(env []string, dir string) []string {
	env = slices.Clone(env)
	for i, kv := range env {
		if strings.HasPrefix(kv, "PWD=") && dir != "" {
			env[i] = "PWD=" + dir
		}
	}
	return env
}

// workingDir is where we are; a directory that was removed has no name.
func workingDir() string {
	var buf [unix.PathMax]byte
	n, err := unix.Getcwd(buf[:])
	if err != nil || n < 2 {
		return ""
	}
	return string(buf[:n-1])
}

func bytesOf(words []string) [][]byte {
	list := make([][]byte, len(words))
	for i, w := range words {
		list[i] = []byte(w)
	}
	return list
}

func wordsOf(list [][]byte) []string {
	words := make([]string, len(list))
	for i, b := range list {
		words[i] = string(b)
	}
	return words
}
