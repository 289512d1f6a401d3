// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"strings"
	"testing"
)

// kindForms and wrongKinds are beside those in spec_test.go, which are about
// addresses.
var kindForms = map[string]Spec{
	":80,name=web":                {Port: 80, Name: "web"},
	":80,reuseport,v6only":        {Port: 80, ReusePort: true, V6Only: true},
	"[::1]:80,v6only":             {Host: "::1", Port: 80, V6Only: true},
	":80,backlog=1":               {Port: 80, Backlog: 1},
	":80,defer":                   {Port: 80, Defer: 15},
	":80,defer=15,r":              {Port: 80, ReuseAddr: true, Defer: 15},
	":80,defer=1":                 {Port: 80, Defer: 1},
	":80,backlog=9,defer=3600":    {Port: 80, Backlog: 9, Defer: 3600},
	"fd:3,defer":                  {Kind: FD, FD: 3, Defer: 15},
	"systemd:web,n,defer=5":       {Kind: Systemd, From: "web", NonBlock: true, Defer: 5},
	"udp:127.0.0.1:53":            {Kind: UDP, Host: "127.0.0.1", Port: 53},
	"udp:[::1]:53,r,n,reuseport":  {Kind: UDP, Host: "::1", Port: 53, ReuseAddr: true, NonBlock: true, ReusePort: true},
	"udp::53":                     {Kind: UDP, Port: 53},
	"udp:*:53":                    {Kind: UDP, Port: 53},
	"udp.:53":                     {Host: "udp.", Port: 53},
	"fd.:80":                      {Host: "fd.", Port: 80},
	"systemd.:80":                 {Host: "systemd.", Port: 80},
	"systemd-1:80":                {Host: "systemd-1", Port: 80},
	"unix:/run/a b.sock":          {Kind: Unix, Path: "/run/a b.sock"},
	"unix:web.sock":               {Kind: Unix, Path: "web.sock"},
	"unix:@web,n":                 {Kind: Unix, Path: "@web", NonBlock: true},
	"unix:/x,mode=660":            {Kind: Unix, Path: "/x", Mode: 0o660},
	"unix:/x,group=0,user=x,n":    {Kind: Unix, Path: "/x", NonBlock: true, User: "x", Group: "0"},
	"unix:/x,backlog=9,name=a":    {Kind: Unix, Path: "/x", Backlog: 9, Name: "a"},
	"fd:3":                        {Kind: FD, FD: 3},
	"fd:17,name=web":              {Kind: FD, FD: 17, Name: "web"},
	"systemd":                     {Kind: Systemd},
	"systemd,n":                   {Kind: Systemd, NonBlock: true},
	"systemd:my socket.1,name=my": {Kind: Systemd, From: "my socket.1", Name: "my"},
}

var wrongKinds = map[string]string{
	":80,name=":                            `name "" has nothing in it`,
	":80,name":                             `name=; write it as in :80,name=web`,
	":80, R":                               `name=; write it as in :80,r`,
	"unix:/a,backlog":                      `write it as in unix:/a,backlog=128`,
	":80,name=7":                           `name "7" is a number`,
	":80,name=a:b":                         `name "a:b" has a colon`,
	":80,name=é":                           `name "é" has a colon or something that is not ASCII`,
	":80,name={a}":                         `name "{a}" has a brace`,
	":80,name=" + strings.Repeat("a", 256): `has more than 255 characters`,
	":80,name=a,name=a":                    `option name= is given twice`,
	":80,r=1":                              `option "r=1" is none of`,
	":80,backlog=0":                        `backlog "0" is not a number of at least 1`,
	":80,backlog=-1":                       `backlog "-1"`,
	":80,backlog=2147483648":               `backlog "2147483648"`,
	":80,defer=":                           `defer "" is not a number of seconds from 1 to 3600; write it as in :80,defer=30`,
	":80,defer=0":                          `defer "0" is not a number of seconds`,
	":80,defer=5s":                         `defer "5s" is not a number of seconds`,
	":80,defer=3601":                       `defer "3601" is not a number of seconds`,
	":80,defer,defer=5":                    `option defer= is given twice`,
	":80,defer=5,defer":                    `option defer is given twice`,
	"udp::53,defer":                        `option "defer" means nothing for a UDP socket`,
	"unix:/a,defer":                        `option "defer" means nothing for a UNIX socket, which takes`,
	"unix:@a,defer=5":                      `option "defer=5" means nothing for an abstract UNIX socket`,
	":80,mode=0660":                        `option "mode=0660" means nothing for a TCP socket`,
	"127.0.0.1:80,v6only":                  `option "v6only" contradicts the IPv4 address 127.0.0.1`,
	"udp:127.0.0.1:80,v6only":              `option "v6only" contradicts`,
	"udp:":                                 `UDP address "" is not ADDR:PORT`,
	"udp:53":                               `UDP address "53" is not ADDR:PORT`,
	"udp:localhost":                        `UDP address "localhost" is not ADDR:PORT`,
	"udp:127.0.0.1:http":                   `port "http"`,
	"udp::53,backlog=5":                    `option "backlog=5" means nothing for a UDP socket`,
	"unix:":                                `path "" has nothing in it`,
	"unix:@":                               `path "@" has nothing in it`,
	"unix:/run/":                           `path "/run/" is a directory's`,
	"unix:/a\nb":                           `path "/a\nb" has bytes that cannot be shown`,
	"unix:/\xff":                           `path "/\xff" has bytes`,
	"unix:/a,b":                            `option "b" is none of`,
	"unix:/" + strings.Repeat("a", 107):    `path of 108 bytes is longer than the 107`,
	"unix:/a,mode=0":                       `mode "0" is not an octal number from 1 to 0777`,
	"unix:/a,mode=rw":                      `mode "rw"`,
	"unix:/a,mode=888":                     `mode "888"`,
	"unix:/a,mode=1777":                    `mode "1777"`,
	"unix:/a,user=":                        `user "" is neither`,
	"unix:/a,user=a:b":                     `user "a:b" is neither`,
	"unix:/a,group=4294967295":             `group "4294967295" is larger`,
	"unix:/a,r":                            `option "r" means nothing for a UNIX socket`,
	"unix:/a,reuseport":                    `option "reuseport" means nothing for a UNIX socket`,
	"unix:@a,mode=0660":                    `option "mode=0660" means nothing for an abstract UNIX socket`,
	"fd:":                                  `"" is not the number of a descriptor`,
	"fd:x":                                 `"x" is not the number`,
	"fd:03":                                `"03" is not the number`,
	"fd:2":                                 `descriptor 2 is standard input, output or error`,
	"fd:9999999999":                        `"9999999999" is not the number`,
	"fd:3,r":                               `option "r" means nothing for a descriptor`,
	"fd:3,backlog=1":                       `option "backlog=1" means nothing`,
	"systemd:":                             `name "" has nothing in it`,
	"systemd:a:b":                          `name "a:b" has a colon`,
	"systemd,mode=1":                       `option "mode=1" means nothing for what systemd hands over`,
}

func TestClashes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		why  string // "": they can be given together
	}{
		{":80", ":80,r", "given twice"},
		{":0", ":0", ""},
		{":80", "0.0.0.0:80", ""},
		{":80", "udp::80", ""},
		{"udp::80", "udp::80", "given twice"},
		{"unix:/a", "unix:/a,n", "given twice"},
		{"unix:/a", "unix:/b", ""},
		{"fd:3", "fd:3", "given twice"},
		{"fd:3", "fd:4", ""},
		{"systemd", "systemd", "given twice"},
		{"systemd", "systemd:a", "all that there is, and systemd:a"},
		{"systemd:a", "systemd", "all that there is, and systemd:a"},
		{"systemd:a", "systemd:b", ""},
		{":80,name=a", "unix:/a,name=a", "same name"},
	} {
		err := mustParse(t, c.b).Clashes(mustParse(t, c.a))
		if c.why == "" && err != nil || c.why != "" && (!errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s with %s: %v; want %q", c.b, c.a, err, c.why)
		}
	}
	if err := mustParse(t, ":80,v6only").CheckFamily(IPv4Only); !errors.Is(err, ErrUsage) {
		t.Errorf("v6only with -4: %v", err)
	}
}
