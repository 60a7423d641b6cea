// Package site builds the documents of docs/ into a static site with VitePress, and
// the API's document into a page of it with Redocly, as make docs-site does. The
// build fails on a dead link; the tests look for dead anchors and for what a page
// would load from elsewhere. What it runs comes from npm, pinned in package-lock.json.
//
// Without Node and npm its tests are left out and say so; BELFRY_REQUIRE_STANDINS=1,
// as CI and make docs-site set it, makes them fail.
package site
