# SPDX-License-Identifier: GPL-3.0-or-later
#
# make            builds both programs into build/
# make demo       runs the example under load of your own making
# make test       runs all tests (installs what they use, as root on Debian)
# make check      everything else that must hold: style, other systems, fuzzing
# make bench      prints the table of measurements
# make install    honours DESTDIR and PREFIX; make uninstall takes it back

PREFIX  ?= /usr/local
DESTDIR ?=

bindir  = $(DESTDIR)$(PREFIX)/bin
mandir  = $(DESTDIR)$(PREFIX)/share/man/man1
docdir  = $(DESTDIR)$(PREFIX)/share/doc/einhyrningsins
bashdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir  = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

GO      ?= go
INSTALL ?= install

# A release is a tag vX.Y.Z. Anything else says from which commit it comes; a
# tree without git has only the version in internal/version.
VERSION ?= $(shell scripts/version)

# The version says it already; and git refuses to say more about a clone that
# belongs to somebody else.
export GOFLAGS := $(shell $(GO) env GOFLAGS) -buildvcs=false

# Some servers are where a user does not look for programs.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

PROGRAMS   = einhyrningsins einhyrningsinsctl
# By these names they read einhorn's command lines.
LINKS      = einhorn:einhyrningsins einhornsh:einhyrningsinsctl
MANUALS    = $(PROGRAMS) einhorn einhornsh
COMPLETED  = $(PROGRAMS) einhorn
# Without cgo the programs need no C library, and run wherever the kernel does.
LINKFLAGS  = -s -w -X einhyrningsins/internal/version.Version=$(VERSION)
# The daemon's own first instructions: internal/entry. Only it has them.
ENTRY_linux_amd64 = -E einhyrningsins/internal/entry.first
ENTRY      = $(ENTRY_$(shell $(GO) env GOOS)_$(shell $(GO) env GOARCH))
BUILDFLAGS = -trimpath -ldflags '$(LINKFLAGS)' -ldflags 'einhyrningsins/cmd/einhyrningsins=$(LINKFLAGS) $(ENTRY)'
# What the tests run beside the programs themselves.
NEEDED     = gcc ps bash zsh fish mandoc python3 ruby php perl start_server systemd-socket-activate systemd-notify node gunicorn hypercorn uvicorn uwsgi \
             puma ruby:sd_notify unicorn rackup starman perl:Net::Server::SS::PreFork plackup perl:Plack::Handler::Starlet nginx rustc

.PHONY: all build demo test check bench fuzz completion install uninstall clean

all: build

build:
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o build/ $(PROGRAMS:%=./cmd/%)

demo: build
	CGO_ENABLED=0 $(GO) build -trimpath -o build/demo/go-http ./examples/go-http
	@scripts/demo

test:
	@scripts/need $(NEEDED)
	@CGO_ENABLED=0 $(GO) build -o build/ ./scripts/testexec ./scripts/testsummary
	@set -o pipefail; CGO_ENABLED=1 $(GO) test -race -json -timeout 30m -exec '"$(CURDIR)/build/testexec"' $(TESTFLAGS) ./... | build/testsummary

check:
	@scripts/check

fuzz:
	@scripts/fuzz $(FUZZTIME)

bench:
	$(GO) run ./bench

# Completions (and examples of output in tests) are made by the programs; tests
# say when they are out of date.
completion:
	$(GO) test ./internal/config -run Completion -update
	$(GO) test ./cmd/einhyrningsinsctl -run Docs -update

install: build
	$(INSTALL) -d $(bindir) $(mandir) $(docdir) $(docdir)/examples $(bashdir) $(zshdir) $(fishdir)
	$(INSTALL) -m 755 $(PROGRAMS:%=build/%) $(bindir)
	scripts/links add $(bindir) $(LINKS)
	$(INSTALL) -m 644 $(MANUALS:%=docs/man/%.1) $(mandir)
	for p in $(COMPLETED); do \
		$(INSTALL) -m 644 contrib/completion/$$p.bash $(bashdir)/$$p && \
		$(INSTALL) -m 644 contrib/completion/$$p.zsh $(zshdir)/_$$p && \
		$(INSTALL) -m 644 contrib/completion/$$p.fish $(fishdir)/$$p.fish || exit 1; \
	done
	$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE LICENSES.md docs/protocol.md docs/from-einhorn.md docs/servers.md $(docdir)
	$(INSTALL) -m 644 contrib/systemd/einhyrningsins.service contrib/systemd/README.md $(docdir)/examples
	$(INSTALL) -m 644 worker/python/worker.py worker/ruby/worker.rb worker/js/worker.js $(docdir)/examples
	scripts/licenses $(docdir)/licenses

uninstall:
	scripts/links remove $(bindir) $(LINKS)
	rm -f $(PROGRAMS:%=$(bindir)/%) $(MANUALS:%=$(mandir)/%.1) $(COMPLETED:%=$(bashdir)/%)
	rm -f $(COMPLETED:%=$(zshdir)/_%) $(COMPLETED:%=$(fishdir)/%.fish)
	rm -rf $(docdir)

clean:
	rm -rf build

# pipefail is bash's.
test: SHELL = bash
