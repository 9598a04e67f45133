// Made by `python -m tests.kernel.rules` from src/kestrel/syntax/highlight.py: change it there.
export const rules = {
 "root": [
  {
   "include": "blank"
  },
  {
   "pattern": "([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*)(\\s*)(=)(?!=)",
   "classes": [
    "made",
    "",
    "operator"
   ],
   "fresh": true
  },
  {
   "pattern": "([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*)(\\s*)(=)(?=\\s*(?:GET|FIND|NEW|LOAD|SORT|GROUP|JOIN)(?![\\p{L}\\p{M}\\p{N}_]))",
   "classes": [
    "made",
    "",
    "operator"
   ]
  },
  {
   "pattern": "(FIND)(\\s+)([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*)(\\s+)([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*)(?:(\\s+)(BY)(?![\\p{L}\\p{M}\\p{N}_]))?",
   "classes": [
    "keyword",
    "",
    "type",
    "",
    "verb",
    "",
    "keyword"
   ]
  },
  {
   "pattern": "(GET|FIND|NEW)(\\s+)([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*)",
   "classes": [
    "keyword",
    "",
    "type"
   ]
  },
  {
   "pattern": "(?:ATTR|BY)(?![\\p{L}\\p{M}\\p{N}_])",
   "classes": [
    "keyword"
   ],
   "next": "paths"
  },
  {
   "pattern": "(BIN|MIN|MAX|SUM|AVG|COUNT|NUNIQUE)(\\s*)(\\()",
   "classes": [
    "function",
    "",
    "sign"
   ],
   "next": "paths"
  },
  {
   "pattern": "(TIMESTAMPED|ADDOBSID|RECORDS)(?=\\s*\\()",
   "classes": [
    "function"
   ]
  },
  {
   "include": "values"
  },
  {
   "pattern": "([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*)(:)(?=[\\p{L}_])",
   "classes": [
    "type",
    "sign"
   ],
   "next": "paths"
  },
  {
   "pattern": "[\\p{L}_][\\p{L}\\p{M}\\p{N}_@]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?(?:\\.(?:[\\p{L}\\p{M}\\p{N}_@]+(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?|'[^'\\n]*'|\"[^\"\\n]*\"))*(?=\\s*(?:[=<>]|!=)|\\s+(?:NOT\\s+)?(?:IN|LIKE|MATCHES|IS|ISSUBSET|ISSUPERSET)(?![\\p{L}\\p{M}\\p{N}_]))",
   "classes": [
    "attribute"
   ]
  },
  {
   "pattern": "(A(?:NY|PPLY|S(?:(?:C)?)|TTR)|BY|D(?:E(?:PTH|SC(?:(?:RIBE)?))|ISP)|EXPLAIN|F(?:IND|ROM)|G(?:ET|ROUP)|INFO|JOIN|L(?:AST|IMIT|OAD)|NEW|O(?:FFSET|N)|REPLACE|S(?:AVE|ORT|T(?:ART|OP))|TO|W(?:HERE|ITH))(?![\\p{L}\\p{M}\\p{N}_])",
   "classes": [
    "keyword"
   ]
  },
  {
   "pattern": "(AND|I(?:SSU(?:(?:B|PER)SET)|[NS])|LIKE|MATCHES|N(?:OT|ULL)|OR)(?![\\p{L}\\p{M}\\p{N}_])",
   "classes": [
    "test"
   ]
  },
  {
   "pattern": "ESCAPE(?=\\s*[rR]?['\"])",
   "classes": [
    "test"
   ]
  },
  {
   "pattern": "([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*)(\\.)([\\p{L}_][\\p{L}\\p{M}\\p{N}_@]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?(?:\\.(?:[\\p{L}\\p{M}\\p{N}_@]+(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?|'[^'\\n]*'|\"[^\"\\n]*\"))*)",
   "classes": [
    "name",
    "sign",
    "attribute"
   ]
  },
  {
   "pattern": "(CHART|DAY(?:(?:S)?)|GRAPH|HOUR(?:(?:S)?)|MINUTE(?:(?:S)?)|SECOND(?:(?:S)?)|T(?:(?:ABL|IMELIN|RE)E))(?![\\p{L}\\p{M}\\p{N}_])",
   "classes": [
    "view"
   ]
  },
  {
   "pattern": "[\\p{L}_][\\p{L}\\p{M}\\p{N}_]*",
   "classes": [
    "name"
   ]
  },
  {
   "pattern": "[=<>!]=?|[+*/~-]",
   "classes": [
    "operator"
   ]
  },
  {
   "pattern": ".",
   "classes": [
    "sign"
   ]
  }
 ],
 "blank": [
  {
   "pattern": "\\s+",
   "classes": [
    ""
   ]
  },
  {
   "pattern": "#[^\\n]*",
   "classes": [
    "comment"
   ]
  }
 ],
 "values": [
  {
   "pattern": "t'[^'\\n]*'|t\"[^\"\\n]*\"",
   "classes": [
    "time"
   ]
  },
  {
   "pattern": "r'(?:[^'\\\\\\n]|\\\\.|\\\\\\n)*'?|r\"(?:[^\"\\\\\\n]|\\\\.|\\\\\\n)*\"?",
   "classes": [
    "string"
   ]
  },
  {
   "pattern": "'",
   "classes": [
    "string"
   ],
   "next": "single"
  },
  {
   "pattern": "\"",
   "classes": [
    "string"
   ],
   "next": "double"
  },
  {
   "pattern": "[\\p{L}_][\\p{L}\\p{M}\\p{N}_+.-]*://[^\\s'\"#)\\]]*",
   "classes": [
    "uri"
   ]
  },
  {
   "pattern": "\\$[\\p{L}_][\\p{L}\\p{M}\\p{N}_]*",
   "classes": [
    "parameter"
   ]
  },
  {
   "pattern": "\\d{4}-\\d\\d-\\d\\d(?:[T ]\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?(?:Z|[-+]\\d\\d:?\\d\\d)?)?(?![\\p{L}\\p{M}\\p{N}_.:-])",
   "classes": [
    "time"
   ]
  },
  {
   "pattern": "[-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\\.[0-9]+)?|\\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\\p{L}\\p{M}\\p{N}_.:/\\\\-])",
   "classes": [
    "number"
   ]
  },
  {
   "pattern": "(?:true|false)(?![\\p{L}\\p{M}\\p{N}_])",
   "classes": [
    "constant"
   ]
  }
 ],
 "single": [
  {
   "pattern": "\\\\[\\\\'\"]",
   "classes": [
    "escape"
   ]
  },
  {
   "pattern": "'",
   "classes": [
    "string"
   ],
   "next": "#pop"
  },
  {
   "pattern": "\\n",
   "classes": [
    ""
   ],
   "next": "#pop"
  },
  {
   "pattern": "(?:[^'\\\\\\n]|\\\\(?![\\\\'\"])\\n?)+",
   "classes": [
    "string"
   ]
  }
 ],
 "double": [
  {
   "pattern": "\\\\[\\\\'\"]",
   "classes": [
    "escape"
   ]
  },
  {
   "pattern": "\"",
   "classes": [
    "string"
   ],
   "next": "#pop"
  },
  {
   "pattern": "\\n",
   "classes": [
    ""
   ],
   "next": "#pop"
  },
  {
   "pattern": "(?:[^\"\\\\\\n]|\\\\(?![\\\\'\"])\\n?)+",
   "classes": [
    "string"
   ]
  }
 ],
 "paths": [
  {
   "include": "blank"
  },
  {
   "pattern": "([\\p{L}_][\\p{L}\\p{M}\\p{N}_]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*)(:)(?=[\\p{L}_])",
   "classes": [
    "type",
    "sign"
   ]
  },
  {
   "pattern": "(?!BIN\\s*\\()([\\p{L}_][\\p{L}\\p{M}\\p{N}_@]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?(?:\\.(?:[\\p{L}\\p{M}\\p{N}_@]+(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?|'[^'\\n]*'|\"[^\"\\n]*\"))*)(\\s*)(,)",
   "classes": [
    "attribute",
    "",
    "sign"
   ]
  },
  {
   "pattern": "(?!BIN\\s*\\()[\\p{L}_][\\p{L}\\p{M}\\p{N}_@]*(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?(?:\\.(?:[\\p{L}\\p{M}\\p{N}_@]+(?:-[\\p{L}\\p{M}\\p{N}_]+)*(?:\\[\\*\\])?|'[^'\\n]*'|\"[^\"\\n]*\"))*",
   "classes": [
    "attribute"
   ],
   "next": "#pop"
  },
  {
   "pattern": "",
   "classes": [],
   "next": "#pop"
  }
 ]
};
