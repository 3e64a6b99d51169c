#!/usr/bin/env python3
"""Reads the page of score --html as XML, for score-html.t.

  data hostile|benign       JSON lines; the twins differ in texts and names alone
  data labels N             N labels, many mistakes
  data pair a|b             two runs on the same records, with texts that stand several times
  name hostile|benign       what such a run is called
  svg FILE                  a picture that stands alone: the same as check
  pre PAGE [TEXT]           TEXT is a line of a command; without it, prints the commands
  check PAGE...             well-formed, only known elements and attributes, nothing that loads or runs
  twins PAGE PAGE           the same elements with the same attributes' names
  recount JSON LINES        coverage, lengths and twins of the JSON are those of the records in LINES
  numbers PAGE JSON         every number is the one that score --json printed, and shown as it is rounded; of a
                            summary, each line of the JSON is a row
"""
import json
import re
import sys
import xml.etree.ElementTree as ET

HTML = '{http://www.w3.org/1999/xhtml}'
SVG = '{http://www.w3.org/2000/svg}'
ELEMENTS = {HTML + e for e in '''html head meta title style body main header section nav h1 h2 h3 p div span b a bdi ul ol
    li table caption thead tbody tr th td figure figcaption code pre'''.split()} | {
    SVG + e for e in 'svg style title desc defs clipPath g path rect circle polygon text tspan'.split()}
ATTRIBUTES = set('''lang {http://www.w3.org/XML/1998/namespace}lang charset name content id class href scope title
    role tabindex aria-label data-of data-value viewBox d x y x1 y1 x2 y2 width height cx cy r dx dy points
    transform text-anchor rx fill-opacity clip-path colspan'''.split())


def fail(*words):
    print(*words)
    sys.exit(1)


# ---- data ----

BAD = ['</script><script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onload='alert(1)", '&lt;b&gt; &amp; &#60;',
       ']]><svg/onload=alert(1)>', '<!-- --><style>*{display:none}</style>', '\u202egnp.exe\u2066 \u200f\u061c', '\x01\x1b[31m\x7f\x85',
       'a\tb\nc\r\nd', '\u05e9\u05dc\u05d5\u05dd', '\ufffe\uffff', '</pre></td></table></body></html>', '%s %n %d', '$(rm x) `x`',
       '\ud83d\ude00'.encode('utf-16', 'surrogatepass').decode('utf-16'), '\u0000zero']


def twin(text):
    """As many code points, none of them special."""
    return ''.join(c if c.isalnum() and c.isascii() or c == ' ' else 'x' for c in text)


def pair(which):
    import random
    draw = random.Random(which)
    for i in range(60):
        label = ('up', 'down', 'side')[i % 3]
        scores = [draw.random() / 8 for _ in range(3)]
        scores[i % 3] += (0.5 if which == 'b' else 0.1) * draw.random()
        scores = [round(s / sum(scores), 3) for s in scores]
        pred = ('up', 'down', 'side')[max(range(3), key=scores.__getitem__)]
        print(json.dumps({'id': i, 'label': label, 'pred': 'none' if i == 13 else pred, 'scores': scores, 'day': f'day {i % 4}',
                          'text': f'text {i % 50}' + ' and more' * (i % 7)}))


def data(kind, n=None):
    if kind == 'pair':
        pair(n)
        return
    if kind == 'labels':
        for i in range(8 * int(n)):
            label, other = i % int(n), (i * 7 + i // 5) % int(n)
            print(json.dumps({'id': i, 'label': f'label {label}', 'pred': f'label {other if i % 3 == 0 else label}',
                              'text': f'text {i}'}))
        return
    names = [f'{i} {text}' for i, text in enumerate(BAD) if '\0' not in text][:10] + ['9' * 300, 'L' * 20 + '<' * 280]
    texts = [f'{i} {text}' for i, text in enumerate(BAD * 3)] + ['<b>' * 200, '"' * 1048576]
    if kind == 'benign':
        names, texts = [twin(x) for x in names], [twin(x) for x in texts]
    for i, text in enumerate(texts * 2):
        truth, pred = i % len(names), (i if i % 3 else i + 1) % len(names)
        scores = [0.5 / (len(names) - 1)] * len(names)
        scores[pred] = 0.5
        print(json.dumps({'id': i, 'label': names[truth], 'pred': 'none' if i % 20 == 7 else names[pred], 'text': text,
                          'scores': scores, 'day': names[i % 3]}))


# ---- the page ----

def read(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if not text.startswith(('<!DOCTYPE html>\n<html lang="', '<?xml version="1.0" encoding="UTF-8"?>\n<svg ')):
        fail(path, 'does not begin as its kind does')
    return text, ET.fromstring(text)


def check(*paths):
    for path in paths:
        text, root = read(path)
        ids = [e.get('id') for e in root.iter() if e.get('id')]
        if len(ids) != len(set(ids)):
            fail(path, 'has an id twice:', sorted(i for i in ids if ids.count(i) > 1))
        for e in root.iter():
            if e.tag not in ELEMENTS:
                fail(path, 'has the element', e.tag)
            unknown = set(e.attrib) - ATTRIBUTES
            if unknown:
                fail(path, e.tag, 'has the attributes', unknown)
            if e.get('href') and e.get('href').removeprefix('#') not in ids:
                fail(path, 'leads to', e.get('href'))
            for shown in (e.text or '', e.tail or '', *e.attrib.values()):
                bad = re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]', shown)
                if bad:
                    fail(path, 'shows', ascii(bad.group()), 'in', ascii(shown[:80]))
        style = ''.join(e.text for e in root.iter() if e.tag in (HTML + 'style', SVG + 'style'))
        if re.search(r'url\(|@import|expression|http', style):
            fail(path, 'loads something by its style')
        if not next(e for e in root.iter() if e.tag in (HTML + 'title', SVG + 'title')).text:
            fail(path, 'has no title')


def outline(path):
    """But for the whole name of what a picture cuts, as that depends on the width of its letters."""
    root = read(path)[1]
    for text in root.iter(SVG + 'text'):
        for title in text.findall(SVG + 'title'):
            text.remove(title)
    return [(e.tag, sorted(set(e.attrib) - {'title'})) for e in root.iter()]


def twins(one, other):
    for i, (a, b) in enumerate(zip(outline(one), outline(other))):
        if a != b:
            fail(f'element {i} is {a} and {b}')
    if len(outline(one)) != len(outline(other)):
        fail('they have', len(outline(one)), 'and', len(outline(other)), 'elements')


# ---- what the records tell, counted once more ----

def recount(path, lines):
    with open(path, encoding='utf-8') as file:
        told = json.loads(file.readline())
    with open(lines, encoding='utf-8') as file:
        records = [json.loads(line) for line in file]
    n = len(records)
    wrong = [r['pred'] != r['label'] for r in records]
    certain = [0 if r['pred'] == 'none' else max(r['scores']) for r in records]
    for point in told['coverage']:
        least = min(c for c in certain if sum(d > c for d in certain) < point['share'] * n)
        kept = [i for i in range(n) if certain[i] >= least]
        want = {'share': point['share'], 'n': len(kept), 'accuracy': 1 - sum(wrong[i] for i in kept) / len(kept), 'least': least}
        for key, value in want.items():
            if abs(point[key] - value) > 1e-6:
                fail('coverage', point, 'and not', want)
    length = [r['n_prompt'] if 'n_prompt' in r else len(r['ids']) if 'ids' in r else len(r['text']) for r in records]
    for bin in told['lengths']:
        inside = [i for i in range(n) if bin['from'] <= length[i] <= bin['to']]
        if (len(inside), sum(wrong[i] for i in inside)) != (bin['n'], bin['wrong']):
            fail('lengths', bin, 'and not', len(inside))
    if sum(bin['n'] for bin in told['lengths']) != n:
        fail('lengths leave records out')
    labels = {}
    for r in records:
        labels.setdefault(r['text'], []).append(r['label'])
    twins = [v for v in labels.values() if len(v) > 1]
    want = {'records': sum(len(v) - 1 for v in twins), 'texts': len(twins), 'conflicts': sum(len(set(v)) > 1 for v in twins)}
    if told['twins'] != want:
        fail('twins', told['twins'], 'and not', want)


# ---- its numbers ----

def look_up(found, path):
    """A whole number is a place in a list, or that of a label in the object's keys."""
    labels = None
    for part in path.split('.'):
        labels = found.get('labels', labels) if isinstance(found, dict) else labels
        found = found[int(part) if isinstance(found, list) else labels[int(part)] if part.isdigit() else part]
    return found


def as_shown(text, value):
    """Whether TEXT is VALUE in the digits it has."""
    if text.startswith('<'):
        return value < 0.0001
    digits = text.replace(',', '').replace('\u2212', '-').replace('\u2013', 'nan')
    percent = '%' in digits or 'points' in digits
    digits = re.sub(r'[^0-9.e+\-an]', '', digits.replace('points', ''))
    if 'nan' in digits:
        return value is None
    decimals = len(digits.partition('.')[2])
    return abs(float(digits) - (100 * value if percent else value)) <= 0.5000001 * 10 ** -decimals


def numbers(page, path, by=None):
    with open(path, encoding='utf-8') as file:
        rows = [json.loads(line) for line in file]
    summary = 'settings' in rows[0]
    whole = rows if summary else rows[0]
    if by:
        with open(by, encoding='utf-8') as file:
            slices = [json.loads(line) for line in file]
    seen = 0
    root = read(page)[1]
    for e in root.iter(HTML + 'span'):
        if 'data-of' not in e.attrib:
            continue
        name, value = e.get('data-of'), json.loads(e.get('data-value'))
        if name.startswith('slices.'):
            _, i, rest = name.split('.', 2)
            want = look_up(slices[int(i)], rest)
        else:
            want = look_up(whole, name)
        if want != value or json.dumps(want) != e.get('data-value'):
            fail(name, 'is', e.get('data-value'), 'and in JSON', want)
        if not as_shown(e.text, value) and not (name[-2:] == '.0' and as_shown(e.text + '%', value)):
            fail(name, 'is', value, 'and is shown as', e.text)
        seen += 1
    for i in () if summary else (1, 2):
        picture = next((e for e in root.iter(SVG + 'svg') if e.get('id') == f'confusion-{i}'), None)
        run = whole['ab'[i - 1]] if 'a' in whole else whole
        if picture is None or len(run['labels']) > 16:
            continue
        cells = [int(e.find(SVG + 'title').text.rsplit(': ', 1)[1].split(',')[0]) for e in picture.iter(SVG + 'g')]
        if cells != sum(run['confusion'], []):
            fail('the matrix of run', i, 'is', cells, 'and in JSON', run['confusion'])
    if seen < 20:
        fail('there are', seen, 'numbers')


def pre(page, line=None):
    commands = [e.text for e in read(page)[1].iter(HTML + 'pre')][-1]
    if not line:
        print(commands, end='')
    elif line not in commands.split('\n'):
        fail('no command is', line, 'but', commands)


def name(kind):
    text = '<script>alert("1")</script> & \'\u202e'
    print(text if kind == 'hostile' else twin(text))


if __name__ == '__main__':
    command, *rest = sys.argv[1:]
    {'data': data, 'name': name, 'check': check, 'svg': check, 'twins': twins, 'numbers': numbers, 'recount': recount, 'pre': pre}[command](*rest)
