"""Alarm rules, one file each: does a sample lie in the alarm's condition?"""
