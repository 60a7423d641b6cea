// Package console builds the operator console of web/ and uses it in a real browser: every screen and action, against
// belfry up --sandbox with the console in it. make ui has it leave what it built for go build to embed.
//
// Without Node, npm or Chromium its tests are left out and say so; BELFRY_REQUIRE_STANDINS=1 and
// BELFRY_REQUIRE_BROWSER=1, as CI sets them, make them fail.
package console
