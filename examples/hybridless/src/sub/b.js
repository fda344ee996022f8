#!/usr/bin/env node
module.exports = "b";
