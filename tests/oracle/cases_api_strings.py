"""Calls of the string functions."""

# fmt: off
from __future__ import annotations

_P = "(lambda v: [v.indices, v.values, v.dense_shape])"

CALLS = [
    "tf.string_join(['a', ['b', 'c']], '-')", "tf.strings.join([['a'], ['b']], name='n')", "tf.reduce_join([['a', 'b'], ['c', 'd']])", "tf.reduce_join([['a', 'b'], ['c', 'd']], 0)", "tf.strings.reduce_join([['a', 'b'], ['c', 'd']], axis=[0, 1], keep_dims=True)", "tf.reduce_join([['a', 'b']], reduction_indices=1, separator=', ')", "tf.reduce_join('a')",
    f"{_P}(tf.string_split(['a b', 'c']))", f"{_P}(tf.string_split(['a,b', ',c'], ','))", f"{_P}(tf.string_split(['a,b', ',c'], ',', skip_empty=False))", f"{_P}(tf.string_split(['ab'], delimiter=''))", f"{_P}(tf.strings.split(['a  b', ' c ']))", f"{_P}(tf.strings.split(['a,b,c'], ',', 1))", f"{_P}(tf.strings.split(['a,b'], sep=','))",
    "tf.substr('hello', 1, 3)", "tf.substr(['ab', 'cd'], [0, 1], [1, 1], name='n')", "tf.strings.substr('héé', 1, 1, unit='UTF8_CHAR')", "tf.strings.length(['ab', ''])", "tf.strings.length('hé', unit='UTF8_CHAR')", "tf.string_strip([' a '])", "tf.strings.strip(' a ')", "tf.strings.lower(['AB'])", "tf.strings.upper('ab', name='n')",
    "tf.string_to_number('1.5')", "tf.string_to_number(['1', '2'], tf.int32)", "tf.strings.to_number(['1'], out_type=tf.float64, name='n')", "tf.string_to_number('x')", "tf.as_string(i)", "tf.as_string([1.5, 2.0], precision=2)", "tf.as_string(b, name='n')", "tf.strings.as_string([1e10], shortest=True)", "tf.as_string([1.0], scientific=True, shortest=True)",
    "tf.strings.format('x: {}', [tf.constant([1, 2])])", "tf.strings.format('{} {}', [1, 'a'])", "tf.strings.format('{}', x, summarize=1)", "tf.strings.format('{} {}', [1])",
    "tf.string_to_hash_bucket(['a', 'b'], 10)", "tf.string_to_hash_bucket_fast(['a', 'b'], 1000, name='n')", "tf.strings.to_hash_bucket_strong(['a'], 1000, [1, 2])", "tf.strings.to_hash_bucket('abc', 7)",
    "tf.regex_replace(['abc', 'xbx'], 'b', '-')", "tf.strings.regex_replace('aab', 'a', r'<\\0>', replace_global=False)", "tf.regex_replace('a', tf.constant('a'), 'b', name='n')", "tf.strings.regex_full_match(['ab', 'b'], 'a.')",
    "tf.strings.unicode_script([97, 0x430])", "tf.strings.unicode_transcode('é', 'UTF-8', 'UTF-16-BE')", "tf.strings.unsorted_segment_join(['a', 'b', 'c'], [0, 1, 0], 2, separator='+')",
    "tf.encode_base64(['ab', 'c'])", "tf.encode_base64('ab', pad=True)", "tf.decode_base64('YWI')", "tf.decode_base64('!')", "tf.decode_raw('abcd', tf.int16)", "tf.decode_raw(['ab', 'cd'], tf.uint8, name='n')", "tf.decode_raw('abcd', tf.int32, little_endian=False)", "tf.decode_raw('abc', tf.int16)",
    "tf.decode_csv('1,b,2.5', [[0], ['x'], [1.0]])", "tf.decode_csv(['1,', '2,z'], [[0], ['x']])", "tf.decode_csv('1\t2', [[0], [0]], field_delim='\t')", "tf.decode_csv('1,2,3', [[0]], select_cols=[1])", "tf.decode_csv('x', [[0]])", "tf.decode_csv('1,2', [[0], [0]], select_cols=[1, 0])", "tf.io.decode_csv('NA,1', [[5], [0]], na_value='NA')",
    "tf.parse_tensor(tf.serialize_tensor(x), tf.float32)", "tf.parse_tensor(tf.serialize_tensor(['a', 'b']), tf.string)", "tf.serialize_tensor(i)", "tf.read_file('/nonexistent/file')", "tf.matching_files('/nonexistent/*')",
    "tf.constant('a') + 'b'", "tf.constant(['a', 'b']) + tf.constant('c')", "tf.equal(['a', 'b'], 'a')", "tf.concat([['a'], ['b']], 0)", "tf.gather(['a', 'b', 'c'], [2, 0])", "tf.reshape(['a', 'b'], [2, 1])", "tf.where([True, False], ['a', 'b'], ['c', 'd'])", "tf.unique(['b', 'a', 'b'])", "tf.tile(['a'], [2])", "tf.stack(['a', 'b'])", "tf.fill([2], 'x')", "tf.one_hot([0], 2, 'y', 'n')", "tf.expand_dims('a', 0)", "tf.size(['a', 'b'])", "tf.boolean_mask(['a', 'b'], [False, True])", "tf.transpose([['a', 'b']])", "tf.reverse(['a', 'b'], [0])", "tf.identity('a')", "tf.squeeze([['a']])", "tf.cond(s > 0, lambda: tf.constant('p'), lambda: tf.constant('q'))",
]
# StringSplitV2's separator is a Const of another name in TF 1.15, and read_file's error has no message to compare
OTHER_NAMES: set[str] = {c for c in CALLS if "split" in c or "tf.cond" in c}
