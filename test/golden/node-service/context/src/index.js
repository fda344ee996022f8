require('a');
