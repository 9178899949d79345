#!/usr/bin/env node
// The launcher. Plain old JavaScript: a Node that is too old must be able to read it and say so.
"use strict";

var need = [22, 18];
var have = process.versions.node.split(".").map(Number);

if (have[0] < need[0] || (have[0] === need[0] && have[1] < need[1])) {
  console.error("hearth needs Node " + need.join(".") + " or later; this is Node " + process.versions.node + ".");
  process.exit(1);
}

var path = require("path");
var url = require("url");
var built = path.join(__dirname, "..", "dist", "cli.js");
// A checkout runs from source; the published package has no `src`.
var entry = require("fs").existsSync(built) ? built : path.join(__dirname, "..", "src", "cli.ts");
void import(url.pathToFileURL(entry).href);
