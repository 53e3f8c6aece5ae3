use omni_rules::{Condition, Conditions};
use serde_json::{Value, json};
use std::time::Instant;
fn cond(field: &str, op: &str, v: Value) -> Condition { serde_json::from_value(json!({"field":field,"operator":op,"value":v})).unwrap() }
fn run(label: &str, c: Vec<Condition>, doc: &Value) {
    let t = Instant::now();
    let r = Conditions::compile(&c);
    let ct = t.elapsed();
    match r {
        Ok(c) => { let t = Instant::now(); let h = c.evaluate(doc); let e1 = t.elapsed(); let t = Instant::now(); c.evaluate(doc); let e2=t.elapsed(); let t = Instant::now(); let l=c.explain(doc); let e3=t.elapsed(); println!("{label:44} compile {ct:?} eval {e1:?} {e2:?} {h} explain {e3:?} err {:?}", l[0].error.as_ref().map(|_|1)); }
        Err(p) => println!("{label:44} REFUSED in {ct:?} {} {}", p.len(), &p[0].message.chars().take(90).collect::<String>()),
    }
}
#[test]
fn bench() {
    let ab: String = (0..65536).map(|i: u64| if (i.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407) >> 33) & 1 == 0 {'a'} else {'b'}).collect();
    let a = "a".repeat(65536);
    let mut x: u64 = 88172645463325252; let rnd: String = (0..65536).map(|_| { x^=x<<13; x^=x>>7; x^=x<<17; if x & 1 == 0 {'a'} else {'b'} }).collect();
    let _ = ab;
    let d = json!({"payload":{"s":rnd,"a":a}});
    for (n, re) in [("simple","foo.*bar"),("ab_a_ab100","[ab]*a[ab]{100}c"),("1000","[ab]*a[ab]{1000}c"),("nested10k","a([ab]{100}){100}c"),("nested20k","a([ab]{200}){100}c"),("nested30k","a([ab]{300}){100}c"),("opt","(a?){1000}a{1000}$"),("dot1000","a.{1000}c"),("dot100","a.{100}c"),("dot300x","a.{300}c"),(r"\w100",r"a\w{100}c"),(r"\w200",r"a\w{25}c"),(r"\pL alt",r"(\pL|\pN|\pS){30}c"),("aplus","(a+)+$c"),("(x*)*","((a*)*)*c"),("bounded word",r"\b\w{20}\b\d"), ("star50", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)c"),("ci", "(?i)(k|s|ß|[a-zA-Z]){200}c")] {
        run(&format!("re {n} rnd"), vec![cond("payload.s","matches",json!(re))], &d);
        run(&format!("re {n} aaa"), vec![cond("payload.a","matches",json!(re))], &d);
    }
    let all: Vec<_> = (0..100).map(|i| cond("payload.zz","matches",json!(format!("a([ab]{{300}}){{90}}c{i}")))).collect();
    run("100 regexes", all, &d);
    let all: Vec<_> = (0..100).map(|i| cond("payload.zz","matches",json!(format!(r"\w{{25}}\pL{{5}}c{i}")))).collect();
    run("100 regexes unicode", all, &d);
    let classes: String = r"[\pL\pN\pS\pP]".repeat(60);
    run("classes60", vec![cond("payload.s","matches",json!(classes))], &d);
    run("(?i)classes", vec![cond("payload.s","matches",json!(format!("(?i){}", r"[^\pL&&\pN]".repeat(70))))], &d);
    // nested jsonpath
    let mut many = String::from("$.payload[?"); many.push_str(&vec![r"search(@,'\\w{20}')"; 150].join("||")); many.push(']');
    run("jsonpath 150 search", vec![cond(&many,"exists",json!(true))], &d);
}
#[test]
fn jsonpath() {
    let nodes: Vec<Value> = (0..10000).map(|i| json!(i)).collect();
    let d = json!({"payload":{"a":nodes}});
    for p in ["$..*","$..*..*","$..*..*..*","$..[?@..*]","$..[?count($..*)>1]","$.payload.a[?count($.payload.a[*])>1]","$..[?@ == 5]","$.payload.a[::1]","$.payload.a[*,*,*,*,*,*,*,*,*,*]","$..[*,*,*,*,*,*,*,*,*,*,*,*,*,*,*,*,*,*]"] { run(p, vec![cond(p,"eq",json!(77777777))], &d); }
    let big: Vec<Value> = (0..85).map(|_| json!((0..380).map(|i| i%10).collect::<Vec<i32>>())).collect();
    let d = json!({"payload":{"a":big}});
    for p in ["$.payload.a[?$.payload.a[?$.payload.a[?$.payload.a[0] != $.payload.a[1]]]]","$.payload.a[?count($.payload.a[?count($.payload.a[?$.payload.a[0] == $.payload.a[1]])>1])>1]"] { run(p, vec![cond(p,"exists",json!(true))], &d); }
    let s="é".repeat(30000);
    let d = json!({"payload":{"s":s,"a":(0..1500).collect::<Vec<i32>>(),"r":"ab".repeat(10000)}});
    for p in ["$.payload.a[?count($.payload.a[?length($.payload.s)==1])==9]","$.payload.a[?count($.payload.a[?search($.payload.r,'a([ab]{100}){20}c')])==9]","$.payload.a[?search($.payload.r,'a([ab]{100}){20}c')]","$.payload.a[?count($.payload.a[?length(value($.payload.s))==1])==9]","$.payload.a[?count($.payload.a[?$.payload.s == $.payload.s])==9]"] { run(p, vec![cond(p,"exists",json!(true))], &d); }
    let obj: serde_json::Map<String,Value> = (0..3000).map(|i| (format!("k{i}"),json!(i))).collect();
    let d = json!({"payload":{"o":obj.clone(),"p":obj,"a":(0..600).collect::<Vec<i32>>()}});
    for p in ["$.payload.a[?count($.payload.a[?$.payload.o == $.payload.p])==9]"] { run(p, vec![cond(p,"exists",json!(true))], &d); }
    // in with big arrays; contains
    let d = json!({"payload":{"a":(0..10000).collect::<Vec<i32>>()}});
    run("in 50k x 10k nodes", vec![cond("$.payload.a[*]","in",json!((100000..150000).collect::<Vec<i32>>()))], &d);
    run("in 50k strings", vec![cond("$..*","in",json!((100000..150000).map(|i| format!("{i}")).collect::<Vec<_>>()))], &d);
    run("eq big", vec![cond("$..*..*","eq",json!((0..10000).collect::<Vec<i32>>()))], &d);
    // parse costs
    let deep=format!("$[?{}@.a{}]","(".repeat(31),")".repeat(31)); run("parens31",vec![cond(&deep,"exists",json!(true))],&d);
    let ors=format!("$[?{}]",vec!["@.a==1"; 450].join("||")); run("450 ors",vec![cond(&ors,"exists",json!(true))],&d);
    let nots=format!("$[?{}@.a]","!(".repeat(30)); run("nots",vec![cond(&(nots.trim_end_matches(']').to_owned()+&")".repeat(30)+"]"),"exists",json!(true))],&d);
    let f=format!("$[?{}@.a{}]","count(@[?".repeat(3),"])>1".repeat(3)); run("fn3",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("$[?{}@.a{}]","@[?".repeat(30),"]".repeat(30)); run("nested filters30",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("$[?{}]", vec!["length(length(length(@.a)))>1";120].join("&&")); run("fn3 x120",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("${}", "[".repeat(32)); run("open",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("$[?{}", "!".repeat(4000)); run("bang",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("$[?{}]", "(@[?@.a&&(@[?(@.b||(@[?(@.c".repeat(5)); run("mix",vec![cond(&f,"exists",json!(true))],&d);
    let f=format!("$[?((((((((((((((((((((((((((((((@.a=={}", "9".repeat(3900)); run("num",vec![cond(&f,"exists",json!(true))],&d);
    for n in [4,8,12,16,20,24,30] { let f=format!("$[?{}1==1{}", "(".repeat(n), ")".repeat(n)); run(&format!("unclosed {n}"),vec![cond(&f,"exists",json!(true))],&d);
     let f=format!("$[?{}@[?@.a{}", "(".repeat(n), "x!"); run(&format!("bad {n}"),vec![cond(&f,"exists",json!(true))],&d);
     let f=format!("$[?{}@.a=={}", "@[?".repeat(n), "!"); run(&format!("bad nested filter {n}"),vec![cond(&f,"exists",json!(true))],&d);
     let f=format!("$[?{}@.a=={}", "!(@.b && ".repeat(n), "!"); run(&format!("bad nested not {n}"),vec![cond(&f,"exists",json!(true))],&d);}
}
